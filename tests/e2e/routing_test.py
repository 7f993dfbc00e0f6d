"""Routing as a user sees it: where prompts go, why, and what can be said about it from outside."""
import json
import pathlib
import socket
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
import toy_model  # noqa: E402
from e2e import CHAT, SLOW, chat, metric, request, wait_until  # noqa: E402

WHY = [("x-weir-decision", "1")]


def words(seed, n=200):
    return " ".join(f"w{seed}x{i}" for i in range(n))


class Case(e2e.Case):
    def ask(self, weir, body, headers=(), path=CHAT):
        answer = request(weir.http, "POST", path, body, [*WHY, *headers])
        self.assertEqual(answer.status, 200, answer)
        decision = json.loads(answer.header("x-weir-decision"))
        return answer, decision, decision["candidates"][decision["chosen"]]

    def decisions(self, weir, request_id=""):
        answer = request(weir.http, "GET", "/debug/decisions" + ("/" + request_id if request_id else ""))
        return [json.loads(line) for line in answer.text.splitlines()] if answer.status == 200 else answer

    def demo(self, *flags, env=None):
        weir = self.keep(e2e.gateway("frontend", "--discovery-backend", "mem", "--demo-engines", "3", *flags, env=env))
        model = wait_until(lambda: request(weir.http, "GET", "/v1/models").json().get("data"), 10 * SLOW, "a model")[0]["id"]
        wait_until(lambda: metric(weir.http, "smg_worker_pool_size", model=model) == 3, 10 * SLOW, "three engines")
        return weir, model


class EngineEvents(Case):
    def test_a_repeated_prompt_goes_where_its_blocks_are(self):
        weir, model = self.demo("--router-mode", "kv")
        for seed in range(4):
            body = chat(model, text=words(seed), max_tokens=2)
            first, why, chosen = self.ask(weir, body)
            self.assertEqual((why["policy"], chosen["device"], why["cached_tokens"]), ("kv", 0, 0), why)
            self.assertEqual(why["prompt_tokens"], first.json()["usage"]["prompt_tokens"], "the gateway counts as the engine does")
            _, again, same = self.ask(weir, body)
            self.assertEqual(same["id"], chosen["id"], again)
            self.assertEqual(same["device"], why["prompt_tokens"] // why["block"], again)
            self.assertEqual(again["cached_tokens"], same["device"] * again["block"])
            self.assertGreater(again["eligible"], 1)
        self.assertGreater(metric(weir.http, "weir_kv_index_blocks_total", what="stored"), 0)
        self.assertGreater(metric(weir.http, "smg_kv_index_memberships"), 0)
        self.assertGreater(metric(weir.http, "dynamo_component_router_kv_selected_cached_prefix_tokens_total", model=model), 0)
        self.assertEqual(metric(weir.http, "dynamo_component_router_kv_hit_rate_count"), 8)
        self.assertEqual(metric(weir.http, "weir_router_decisions_total", policy="kv"), 8)

    def test_a_conversation_stays(self):
        weir, model = self.demo("--router-mode", "kv")
        messages, ids = [], set()
        for turn in range(4):
            messages.append({"role": "user", "content": words(turn, 40)})
            answer, why, chosen = self.ask(weir, {"model": model, "messages": messages, "max_tokens": 8})
            messages.append(answer.json()["choices"][0]["message"])
            ids.add(chosen["id"])
            if turn:
                self.assertGreater(chosen["device"], 0, why)
        self.assertEqual(len(ids), 1)

    def test_requests_under_way_are_counted_and_let_go(self):
        weir, model = self.demo("--router-mode", "kv")
        self.ask(weir, chat(model, text=words(1), max_tokens=3, stream=True))
        blocks = lambda: metric(weir.http, "dynamo_frontend_worker_active_decode_blocks")
        wait_until(lambda: blocks() == 0, 10 * SLOW, "all blocks let go")
        self.assertEqual(metric(weir.http, "dynamo_frontend_worker_active_prefill_tokens"), 0)
        self.assertEqual(metric(weir.http, "weir_load_drift"), 0)

    def test_a_small_index_forgets_and_stays_small(self):
        weir, model = self.demo("--router-mode", "kv", "--router-index-max-bytes", "2M")
        for seed in range(30):
            self.ask(weir, chat(model, text=words(seed, 600), max_tokens=1))
        self.assertLessEqual(metric(weir.http, "weir_kv_index_bytes"), 2 << 20)
        self.assertEqual(metric(weir.http, "weir_kv_index_bytes_max"), 2 << 20)


class Approximate(Case):
    def served_with_tokens(self, *flags):
        folder = self.keep(tempfile.TemporaryDirectory())
        toy_model.write(folder)
        return self.served("frontend", "--router-mode", "kv", *flags, workers=3, env={"WEIR_TEXT_MODEL_PATH": str(folder)})

    def test_what_was_routed_is_believed_to_be_there(self):
        weir, _ = self.served_with_tokens("--no-router-kv-events")
        body = chat(text="hello " * 60)
        _, why, chosen = self.ask(weir, body)
        self.assertEqual((chosen["predicted"], why["block"]), (0, 16))
        self.assertGreater(why["prompt_tokens"], 100)
        wait_until(lambda: metric(weir.http, "weir_router_predicted_blocks"), 10 * SLOW, "the prediction applied")
        _, again, same = self.ask(weir, body)
        self.assertEqual(same["id"], chosen["id"], again)
        self.assertEqual(same["predicted"], again["prompt_tokens"] // 16)

    def test_predictions_end(self):
        weir, _ = self.served_with_tokens("--no-router-kv-events", "--router-ttl-secs", "0.2")
        self.ask(weir, chat(text="hello " * 60))
        wait_until(lambda: metric(weir.http, "weir_router_predictions_total", what="expired"), 10 * SLOW, "predictions expired")
        wait_until(lambda: metric(weir.http, "weir_router_predicted_blocks") == 0, 10 * SLOW, "none left")

    def test_with_events_nothing_is_predicted_unless_asked_for(self):
        weir, _ = self.served_with_tokens()
        for _ in range(2):
            _, _, chosen = self.ask(weir, chat(text="hello " * 60))
            self.assertEqual(chosen["predicted"], 0)
        weir, _ = self.served_with_tokens("--router-predicted-ttl-secs", "60")
        self.ask(weir, chat(text="hello " * 60))
        wait_until(lambda: metric(weir.http, "weir_router_predicted_blocks"), 10 * SLOW, "the prediction applied")


class Texts(Case):
    def test_cache_aware_without_a_tokenizer(self):
        weir, _ = self.served("launch", "--policy", "cache_aware", workers=3)
        for seed in range(4):
            _, why, chosen = self.ask(weir, chat(text=words(seed)))
            self.assertEqual((why["policy"], chosen["matched_chars"]), ("cache_aware", 0), why)
            _, again, same = self.ask(weir, chat(text=words(seed)))
            self.assertEqual(same["id"], chosen["id"], again)
            self.assertEqual(same["matched_chars"], again["prompt_chars"])
        self.assertEqual(metric(weir.metrics, "smg_cache_aware_policy_branch_total", branch="tree_match"), 4)
        self.assertEqual(metric(weir.metrics, "smg_cache_aware_match_ratio_count"), 8)
        self.assertGreater(metric(weir.metrics, "smg_cache_tree_chars"), 0)


class Keys(Case):
    def chosen(self, weir, *headers):
        return self.ask(weir, chat(), headers)[2]["id"]

    def test_target_worker(self):
        weir, _ = self.served("launch", workers=3)
        by_number = [self.chosen(weir, ("x-smg-target-worker", n)) for n in "012"]
        self.assertEqual(len(set(by_number)), 3)
        self.assertEqual(self.chosen(weir, ("x-smg-target-worker", "1")), by_number[1])
        for bad in ("3", "-1", "x"):
            answer = request(weir.http, "POST", CHAT, chat(), [("x-smg-target-worker", bad)])
            self.assertEqual(answer.status, 503, answer)
        self.assertGreater(metric(weir.metrics, "weir_router_rejected_ranks_total", reason="target"), 0)

    def test_consistent_hashing(self):
        weir, _ = self.served("launch", "--policy", "consistent_hashing", workers=3)
        for name in ("x-smg-routing-key", "x-forwarded-for", "cookie"):
            places = {key: self.chosen(weir, (name, key)) for key in "abcdefghijkl"}
            self.assertGreater(len(set(places.values())), 1)
            for key, place in places.items():
                self.assertEqual(self.chosen(weir, (name, key)), place, (name, key))
        self.assertEqual(metric(weir.metrics, "smg_consistent_hashing_policy_branch_total", branch="routing_key_hit"), 72)

    def test_manual_and_sticky_keys(self):
        for flags in (("--policy", "manual"), ("--policy", "round_robin", "--routing-key-override"),
                      ("--policy", "random", "--sticky-sessions", "--routing-key-headers", "X-Conversation")):
            weir, _ = self.served("launch", *flags, workers=3)
            header = "x-conversation" if "X-Conversation" in flags else "x-smg-routing-key"
            places = {key: self.chosen(weir, (header, key)) for key in "abcdef"}
            for key, place in places.items():
                self.assertEqual(self.chosen(weir, (header, key)), place, flags)

    def test_pins(self):
        weir, _ = self.served("frontend", workers=3)
        wait_until(lambda: metric(weir.http, "smg_worker_pool_size", model="fake") == 3, 10 * SLOW, "three workers")
        _, why, chosen = self.ask(weir, chat())
        for candidate in why["candidates"]:
            for name in ("x-dynamo-worker-instance-id", "X-Worker-Instance-Id"):
                self.assertEqual(self.chosen(weir, (name, candidate["id"])), candidate["id"])
            body = chat(nvext={"backend_instance_id": int(candidate["id"])})
            self.assertEqual(self.ask(weir, body)[2]["id"], candidate["id"])
        for bad in ("12345", "x"):
            answer = request(weir.http, "POST", CHAT, chat(), [("x-dynamo-worker-instance-id", bad)])
            self.assertEqual(answer.status, 400, answer)

    def test_direct_mode_needs_a_name(self):
        weir, _ = self.served("frontend", "--router-mode", "direct")
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertEqual((answer.status, answer.json()["message"]), (400, "Invalid request"))


class Sessions(Case):
    TTL = ("--router-session-affinity-ttl-secs", "600")

    def chosen(self, weir, model, *headers, text="hi"):
        return self.ask(weir, chat(model, text=text, max_tokens=1), headers)[2]["id"]

    def test_a_session_stays_where_it_began(self):
        weir, model = self.demo("--router-mode", "round-robin", *self.TTL)
        for name in ("x-dynamo-session-id", "X-Claude-Code-Session-Id", "thread-id", "x-session-id"):
            places = {s: self.chosen(weir, model, (name, name + s)) for s in "abcdef"}
            self.assertEqual(len(set(places.values())), 3, "sessions themselves go round")
            for s, place in places.items():
                self.assertEqual(self.chosen(weir, model, (name, name + s)), place, (name, s))
        self.assertEqual(len({self.chosen(weir, model) for _ in range(6)}), 3, "who names no session goes round too")
        self.assertEqual(metric(weir.http, "weir_router_sessions"), 24)
        self.assertGreater(metric(weir.http, "weir_router_rejected_ranks_total", reason="session"), 0)

    def test_agents_go_with_their_parent(self):
        weir, model = self.demo("--router-mode", "round-robin", *self.TTL)
        families = [("x-claude-code-session-id", "x-claude-code-agent-id"), ("x-codex-parent-thread-id", "thread-id")]
        for parent, child in families:
            places = {self.chosen(weir, model, (parent, "p"), (child, c)) for c in "abcdef"}
            self.assertEqual(len(places), 1, parent)

    def test_the_final_request_ends_a_session(self):
        weir, model = self.demo("--router-mode", "round-robin", *self.TTL)
        name, places = ("x-dynamo-session-id", "s"), set()
        for _ in range(4):
            begun = self.chosen(weir, model, name)
            self.assertEqual(self.chosen(weir, model, name, ("x-dynamo-session-final", "true")), begun)
            self.assertEqual(metric(weir.http, "weir_router_sessions"), 0)
            places.add(begun)
        self.assertEqual(len(places), 3)

    def test_without_the_option_sessions_go_anywhere(self):
        weir, model = self.demo("--router-mode", "round-robin")
        self.assertEqual(len({self.chosen(weir, model, ("x-session-id", "s")) for _ in range(6)}), 3)

    def test_a_session_outlives_its_worker(self):
        for mode in ("hard", "soft"):
            weir, workers = self.served("frontend", *self.TTL, "--router-session-affinity-mode", mode, workers=3)
            wait_until(lambda: metric(weir.http, "smg_worker_pool_size", model="fake") == 3, 10 * SLOW, "three workers")
            name = ("x-session-id", "s")
            first = self.chosen(weir, "fake", name)
            home = next(w for w in workers if w.requests)
            home.close()
            second = self.chosen(weir, "fake", name)
            self.assertNotEqual(second, first)
            for _ in range(4):
                self.assertEqual(self.chosen(weir, "fake", name), second)

    def test_hard_and_soft_before_a_busy_worker(self):
        for mode in ("hard", "soft"):
            release = threading.Event()
            self.addCleanup(release.set)

            def slow(peer, req, release=release):
                if "slow" in req.body.decode():
                    release.wait(20)
                return e2e.polite(peer, req)
            folder = self.keep(tempfile.TemporaryDirectory())
            toy_model.write(folder)
            weir, workers = self.served("frontend", "--router-mode", "kv", "--no-router-kv-events", "--active-prefill-tokens-threshold", "50",
                                        *self.TTL, "--router-session-affinity-mode", mode, script=slow, workers=2,
                                        env={"WEIR_TEXT_MODEL_PATH": str(folder)})
            wait_until(lambda: metric(weir.http, "smg_worker_pool_size", model="fake") == 2, 10 * SLOW, "two workers")
            name = ("x-session-id", "s")
            home = self.chosen(weir, "fake", name)
            held = threading.Thread(target=lambda: request(weir.http, "POST", CHAT, chat(text="slow " * 60), [name]))
            held.start()
            wait_until(lambda: any(b"slow" in r.body for w in workers for r in w.requests), 10 * SLOW, "the worker is busy")
            if mode == "hard":
                answer = request(weir.http, "POST", CHAT, chat(), [name])
                self.assertEqual((answer.status, answer.json()["message"]), (503, "Service temporarily overloaded"))
            else:
                self.assertNotEqual(self.chosen(weir, "fake", name), home)
            self.works(weir)
            release.set()
            held.join()


class Explain(Case):
    def test_a_decision_by_the_requests_id(self):
        for dialect in e2e.DIALECTS:
            weir, workers = self.served(dialect, workers=2)
            answer = request(weir.http, "POST", CHAT, chat(), [("x-request-id", "why-me")])
            self.assertEqual(answer.header("x-weir-decision"), None, "only who asks is told")
            lines = wait_until(lambda: [d for d in self.decisions(weir, "why-me") if "outcome" in d], 10 * SLOW, "the outcome")
            self.assertEqual(len(lines), 1)
            line = lines[0]
            self.assertEqual((line["id"], line["model"], line["policy"], line["eligible"]), ("why-me", "fake", "round_robin", 2))
            self.assertIn(line["candidates"][0]["worker"], [w.url for w in workers])
            self.assertEqual(line["outcome"]["status"], 200)
            self.assertGreater(line["outcome"]["ttft_ms"], 0)
            self.assertIn("why-me", [d["id"] for d in self.decisions(weir)])
            self.assertEqual(self.decisions(weir, "nobody").status, 404)
            answer = request(weir.http, "POST", CHAT, chat(), WHY)
            self.no_address(answer, workers)
            for worker in workers:
                self.assertNotIn(worker.url, answer.header("x-weir-decision"))


class BusyThresholds(Case):
    EMPTY = {"active_decode_blocks_threshold": None, "active_prefill_tokens_threshold": None, "active_prefill_tokens_threshold_frac": None}

    def say(self, weir, method, body=None, status=200):
        answer = request(weir.http, method, "/busy_threshold", body)
        self.assertEqual(answer.status, status, answer)
        return answer.json()

    def test_bodies(self):
        weir, _ = self.served("frontend")
        self.assertEqual(self.say(weir, "GET"), {"thresholds": [{"model": "fake", **self.EMPTY}]})
        self.assertEqual(self.say(weir, "POST", {"model": "fake"}), {"model": "fake", **self.EMPTY})
        wanted = {"model": "fake", "active_decode_blocks_threshold": 0.5, "active_prefill_tokens_threshold": 10000,
                  "active_prefill_tokens_threshold_frac": 2.0}
        self.assertEqual(self.say(weir, "POST", wanted), wanted)
        self.assertEqual(self.say(weir, "POST", {"model": "fake", **self.EMPTY}), wanted, "null leaves it alone")
        self.assertEqual(self.say(weir, "PUT", {"model": "fake", "active_decode_blocks_threshold": 0.25}),
                         {**wanted, "active_decode_blocks_threshold": 0.25})
        bad = self.say(weir, "POST", {"model": "fake", "active_decode_blocks_threshold": 1.5}, 400)
        self.assertEqual(bad, {"error": "active_decode_blocks_threshold must be between 0.0 and 1.0, got 1.5"})
        bad = self.say(weir, "POST", {"model": "none", "active_decode_blocks_threshold": 0.5}, 404)
        self.assertEqual(bad, {"error": "Model 'none' not found. Thresholds can only be set for discovered models."})
        self.say(weir, "POST", {}, 400)
        self.say(weir, "POST", {"model": "fake", "active_prefill_tokens_threshold": -1}, 400)

    def test_the_route_can_be_left_out(self):
        weir, _ = self.served("frontend", env={"DYN_DISABLE_FRONTEND_ADMIN_API": "1"})
        for method in ("GET", "POST"):
            self.assertEqual(request(weir.http, method, "/busy_threshold").status, 404)
        self.works(weir)

    def test_who_may_ask(self):
        # As Dynamo has it anybody who reaches the port may; what explains decisions is for the gateway's own host.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.connect(("192.0.2.1", 9))   # sends nothing, but has an address of this machine
            except OSError:
                self.skipTest("this machine has only a loopback address")
            address = s.getsockname()[0]
        weir, _ = self.served("frontend", "--http-host", "0.0.0.0")
        self.assertEqual(request(weir.http, "GET", "/busy_threshold", host=address).status, 200)
        self.assertEqual(request(weir.http, "GET", "/debug/decisions", host=address).status, 403)

    def test_busy_workers_are_passed_over(self):
        release = threading.Event()
        self.addCleanup(release.set)

        def slow(peer, req):
            if "slow" in req.body.decode():
                release.wait(20)
            return e2e.polite(peer, req)
        folder = self.keep(tempfile.TemporaryDirectory())
        toy_model.write(folder)
        weir, workers = self.served("frontend", "--router-mode", "kv", "--no-router-kv-events", "--active-prefill-tokens-threshold", "50",
                                    script=slow, env={"WEIR_TEXT_MODEL_PATH": str(folder)})
        held = threading.Thread(target=lambda: request(weir.http, "POST", CHAT, chat(text="slow " * 60)))
        held.start()
        wait_until(lambda: metric(weir.http, "dynamo_frontend_worker_active_prefill_tokens"), 10 * SLOW, "the prompt is under way")
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertEqual((answer.status, answer.json()["message"]), (503, "Service temporarily overloaded"))
        release.set()
        held.join()
        wait_until(lambda: metric(weir.http, "dynamo_frontend_worker_active_prefill_tokens") == 0, 10 * SLOW, "it has ended")
        self.works(weir)


if __name__ == "__main__":
    e2e.main()
