// The official Node SDK against a gateway. Run by main.py; the gateway is named by INTEROP_* variables.
import assert from "node:assert/strict";
import OpenAI, { BadRequestError, NotFoundError } from "openai";

const { INTEROP_URL: url, INTEROP_MODEL: model, INTEROP_ENGINE_METRICS: engineMetrics } = process.env;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0, timeout: 30_000 });
const messages = [{ role: "user", content: "Say something." }];
const chat = (fields) => client.chat.completions.create({ model, messages, max_tokens: 8, ...fields });

async function collect(stream) {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
}

async function cancelled() {
    const text = await (await fetch(engineMetrics)).text();
    return text.split("\n").filter((l) => l.startsWith("weir_mocker_cancelled_total")).reduce((sum, l) => sum + Number(l.split(" ").pop()), 0);
}

const tests = {
    async "chat"() {
        const answer = await chat({});
        assert.equal(answer.object, "chat.completion");
        assert.equal(answer.usage.completion_tokens, 8);
        assert.ok(answer.choices[0].message.content);
    },
    async "chat stream"() {
        const chunks = await collect(await chat({ stream: true, stream_options: { include_usage: true } }));
        assert.ok(chunks.map((c) => c.choices[0]?.delta?.content ?? "").join(""));
        assert.equal(chunks.at(-1).usage.completion_tokens, 8);
    },
    async "chat stream accumulated by the SDK"() {
        const final = await client.chat.completions.stream({ model, messages, max_tokens: 8 }).finalChatCompletion();
        assert.equal(final.choices[0].finish_reason, "length");
    },
    async "completions"() {
        const answer = await client.completions.create({ model, prompt: "Once", max_tokens: 5 });
        assert.equal(answer.usage.completion_tokens, 5);
        const chunks = await collect(await client.completions.create({ model, prompt: "Once", max_tokens: 5, stream: true }));
        assert.ok(chunks.map((c) => c.choices[0]?.text ?? "").join(""));
    },
    async "embeddings"() {
        const answer = await client.embeddings.create({ model, input: ["a", "b"] });
        assert.equal(answer.data.length, 2);
        assert.equal(typeof answer.data[0].embedding[0], "number");
    },
    async "models"() {
        const ids = [];
        for await (const m of client.models.list()) ids.push(m.id);
        assert.ok(ids.includes(model));
        assert.equal((await client.models.retrieve(model)).id, model);
    },
    async "unknown model is NotFoundError"() {
        await assert.rejects(chat({ model: "no-such-model" }), NotFoundError);
        await assert.rejects(chat({ model: "no-such-model", stream: true }), NotFoundError);
    },
    async "bad field is BadRequestError"() {
        await assert.rejects(chat({ messages: [] }), BadRequestError);
        await assert.rejects(chat({ temperature: 9 }), BadRequestError);
    },
    async "abort mid-stream reaches the engine"() {
        if (!engineMetrics) return "skip: no engine metrics";
        let best = Infinity;
        for (let i = 0; i < 5; i++) {
            const before = await cancelled();
            const stream = await chat({ stream: true, max_tokens: 20_000 });
            for await (const _ of stream) break;          // leaving the loop aborts the request
            const started = performance.now();
            stream.controller.abort();
            while ((await cancelled()) <= before) assert.ok(performance.now() - started < 5000, "the engine never saw the cancel");
            best = Math.min(best, performance.now() - started);
        }
        console.log(`abort seen by the engine after ${best.toFixed(0)} ms`);
        assert.ok(best < 100, `${best} ms`);
    },
    async "200 parallel streams"() {
        const all = await Promise.all(Array.from({ length: 200 }, async (_, i) =>
            collect(await chat({ stream: true, max_tokens: 20, messages: [{ role: "user", content: `number ${i}` }] }))));
        assert.equal(all.length, 200);
        for (const chunks of all) assert.equal(chunks.filter((c) => c.choices[0]?.finish_reason === "length").length, 1);
    },
};

let passed = 0, failed = 0, skipped = 0;
for (const [name, test] of Object.entries(tests)) {
    try {
        const word = await test();
        if (typeof word === "string" && word.startsWith("skip: ")) { skipped++; console.log(`skipped: ${name}: ${word.slice(6)}`); }
        else passed++;
    } catch (error) {
        failed++;
        console.log(`FAILED ${name}: ${error.stack ?? error}`);
    }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed ? 1 : 0);
