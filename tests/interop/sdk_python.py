"""The official Python SDK against a gateway. Run by main.py inside its environment; the gateway is named by INTEROP_* variables."""
import asyncio
import json
import os
import time
import unittest
import urllib.request

import openai

URL, MODEL, DIALECT = os.environ["INTEROP_URL"], os.environ["INTEROP_MODEL"], os.environ["INTEROP_DIALECT"]
ENGINE_METRICS = os.environ.get("INTEROP_ENGINE_METRICS", "")
MESSAGES = [{"role": "user", "content": "Say something."}]


def client(**options):
    return openai.OpenAI(base_url=URL + "/v1", api_key="none", timeout=30, max_retries=0, **options)


def cancelled():
    text = urllib.request.urlopen(ENGINE_METRICS, timeout=5).read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("weir_mocker_cancelled_total"))


class Chat(unittest.TestCase):
    def test_unary(self):
        answer = client().chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=8)
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertTrue(answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].finish_reason, "length")
        self.assertEqual(answer.usage.completion_tokens, 8)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + 8)

    def test_stream(self):
        with client().chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=16, stream=True,
                                              stream_options={"include_usage": True}) as stream:
            chunks = list(stream)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertTrue(text)
        self.assertEqual({c.id for c in chunks}, {chunks[0].id})
        self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason], ["length"])
        usage = [c.usage for c in chunks if c.usage]
        self.assertEqual((len(usage), usage[0].completion_tokens), (1, 16))
        self.assertEqual(chunks[-1].choices, [])

    def test_stream_says_what_unary_says(self):
        options = dict(model=MODEL, messages=MESSAGES, max_tokens=12, seed=7, temperature=0)
        whole = client().chat.completions.create(**options).choices[0].message.content
        parts = "".join(c.choices[0].delta.content or "" for c in client().chat.completions.create(stream=True, **options) if c.choices)
        self.assertEqual(whole, parts)

    def test_several_turns_and_text_of_all_planes(self):
        messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "né 日本語 😀 \u202e"},
                    {"role": "assistant", "content": "ok"}, {"role": "user", "content": [{"type": "text", "text": "and now?"}]}]
        self.assertTrue(client().chat.completions.create(model=MODEL, messages=messages, max_tokens=4).choices[0].message.content)

    def test_raw_headers_and_request_id(self):
        raw = client().chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES, max_tokens=2,
                                                                  extra_headers={"x-request-id": "from-the-sdk"})
        self.assertEqual(raw.headers["x-request-id"], "from-the-sdk")
        self.assertEqual(raw.parse()._request_id, "from-the-sdk")

    def test_async_client(self):
        async def go():
            async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key="none", timeout=30, max_retries=0) as c:
                stream = await c.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=4, stream=True)
                return [chunk async for chunk in stream]
        self.assertTrue(asyncio.run(go()))


class Others(unittest.TestCase):
    def test_completions(self):
        answer = client().completions.create(model=MODEL, prompt="Once upon", max_tokens=6)
        self.assertEqual((answer.object, answer.usage.completion_tokens), ("text_completion", 6))
        self.assertTrue(answer.choices[0].text)

    def test_completions_stream_and_batch(self):
        chunks = list(client().completions.create(model=MODEL, prompt="Once", max_tokens=6, stream=True))
        self.assertTrue("".join(c.choices[0].text for c in chunks if c.choices))
        answer = client().completions.create(model=MODEL, prompt=["one", "two"], max_tokens=3)
        self.assertEqual([c.index for c in answer.choices], [0, 1])

    def test_embeddings(self):
        answer = client().embeddings.create(model=MODEL, input=["a", "b"])            # the SDK asks for base64 by itself
        self.assertEqual([d.index for d in answer.data], [0, 1])
        self.assertTrue(all(isinstance(x, float) for x in answer.data[0].embedding))
        floats = client().embeddings.create(model=MODEL, input=["a", "b"], encoding_format="float")
        for there, here in zip(floats.data[0].embedding, answer.data[0].embedding):
            self.assertAlmostEqual(there, here, places=5)

    def test_models(self):
        self.assertIn(MODEL, [m.id for m in client().models.list()])
        self.assertEqual(client().models.retrieve(MODEL).id, MODEL)


class Errors(unittest.TestCase):
    def test_unknown_model(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            client().chat.completions.create(model="no-such-model", messages=MESSAGES)
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIsInstance(caught.exception.body, dict)

    def test_bad_request(self):
        for fields in ({"messages": []}, {"messages": MESSAGES, "temperature": 9}, {"messages": "text"}):
            with self.subTest(str(fields)), self.assertRaises(openai.BadRequestError):
                client().chat.completions.create(model=MODEL, **fields)

    def test_error_of_a_stream_request(self):
        with self.assertRaises(openai.NotFoundError):
            client().chat.completions.create(model="no-such-model", messages=MESSAGES, stream=True)

    def test_unknown_route(self):
        with self.assertRaises(openai.NotFoundError):
            client().moderations.create(input="x")

    def test_unknown_model_object(self):
        with self.assertRaises(openai.NotFoundError):
            client().models.retrieve("no-such-model")


class Abort(unittest.TestCase):
    def seen(self, leave):
        before, started = cancelled(), None
        stream = client().chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=20_000, stream=True)
        next(iter(stream))
        started = time.monotonic()
        leave(stream)
        while cancelled() <= before:
            if time.monotonic() - started > 5:
                self.fail("the engine never saw the cancel")
        return time.monotonic() - started

    @unittest.skipUnless(ENGINE_METRICS, "no engine metrics")
    def test_mid_stream(self):
        """The fastest of a few: one poll of the engine's counter already takes a few milliseconds on a busy machine."""
        best = min(self.seen(lambda stream: stream.close()) for _ in range(5))
        print(f"abort seen by the engine after {best * 1000:.0f} ms")
        self.assertLess(best, 0.1)


class Parallel(unittest.TestCase):
    def test_two_hundred_streams(self):
        async def one(c, i):
            stream = await c.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"number {i}"}], max_tokens=20, stream=True)
            return [chunk async for chunk in stream]

        async def go():
            async with openai.AsyncOpenAI(base_url=URL + "/v1", api_key="none", timeout=60, max_retries=0) as c:
                return await asyncio.gather(*(one(c, i) for i in range(200)))
        results = asyncio.run(go())
        self.assertEqual(len(results), 200)
        for chunks in results:
            self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason], ["length"])
        self.assertEqual(len({chunks[0].id for chunks in results}), 200)


if __name__ == "__main__":
    print(json.dumps({"openai": openai.__version__, "url": URL, "dialect": DIALECT}))
    unittest.main(verbosity=1)
