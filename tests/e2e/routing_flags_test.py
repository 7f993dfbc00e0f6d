"""Each routing flag and variable does something, and each metric of routing moves."""
import pathlib
import re
import sys
import tempfile
import threading

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent / "support")]
import e2e  # noqa: E402
import toy_model  # noqa: E402
from e2e import CHAT, SLOW, chat, metric, request, wait_until  # noqa: E402
from routing_test import Case as Asking, words  # noqa: E402


class Effects(Asking):
    """What a flag changes for a request, as its decision or the accounts tell."""
    def setUp(self):
        self.go = threading.Event()

    def held(self, *flags, workers=1, env=None):
        """Engines that keep a prompt with the word slow until told to go."""
        def slow(peer, req):
            if "slow" in req.body.decode():
                self.go.wait(20)
            return e2e.polite(peer, req)
        folder = self.keep(tempfile.TemporaryDirectory())
        toy_model.write(folder)
        weir, fakes = self.served("frontend", "--router-mode", "kv", "--no-router-kv-events", *flags, script=slow, workers=workers,
                                  env={"WEIR_TEXT_MODEL_PATH": str(folder), **(env or {})})
        wait_until(lambda: metric(weir.http, "smg_worker_pool_size", model="fake") == workers, 10 * SLOW, "all workers")
        return weir, fakes

    def send_slow(self, weir, fakes, times=1):
        for _ in range(times):
            before = sum(len(f.requests) for f in fakes)
            thread = threading.Thread(target=lambda: request(weir.http, "POST", CHAT, chat(text="slow " * 60)))
            thread.start()
            self.addCleanup(thread.join)
            self.addCleanup(self.go.set)   # cleanups run backwards
            wait_until(lambda: sum(len(f.requests) for f in fakes) > before, 10 * SLOW, "it is under way")

    def stream(self, weir, body):
        """Its answer has begun."""
        connection = e2e.Connection(weir.http)
        self.addCleanup(connection.socket.close)
        connection.send_request("POST", CHAT, body)
        self.assertEqual(connection.read_head()[0], 200)
        return connection

    def again(self, weir, text="hello " * 60):
        """The second time, once the first has ended and is believed to be there."""
        self.ask(weir, chat(text=text))
        wait_until(lambda: metric(weir.http, "weir_load_drift") == 0 and metric(weir.http, "smg_worker_requests_active") == 0, 10 * SLOW, "it has ended")
        wait_until(lambda: metric(weir.http, "weir_router_predicted_blocks"), 10 * SLOW, "the prediction applied")
        _, why, chosen = self.ask(weir, chat(text=text))
        return why, chosen

    def test_terms_of_the_cost(self):
        # raw prefill, credit, active blocks, cost; all in blocks
        weights = [((), {}, 1, 1), (("--router-kv-overlap-score-weight", "0.5"), {}, 1, 0.5), (("--kv-overlap-score-weight", "0.5"), {}, 1, 0.5),
                   ((), {"DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT": "0.25"}, 0.25, 1), ((), {"DYN_ROUTER_PREFILL_LOAD_SCALE": "3"}, 1, 3)]
        for flags, env, credit, scale in weights:
            weir, _ = self.held(*flags, env=env)
            why, chosen = self.again(weir)
            raw, is_credit, active, cost = why["terms"]
            self.assertGreater(chosen["predicted"], 0, why)
            self.assertAlmostEqual(raw, why["prompt_tokens"] / why["block"], 3)
            self.assertAlmostEqual(is_credit, credit * chosen["predicted"], 3, (flags, env))
            self.assertAlmostEqual(cost, scale * max(0, raw - is_credit) + active, 3, (flags, env))

    def test_without_credit_caches_are_not_looked_at(self):
        for flags in (("--kv-overlap-score-weight", "0"), ("--load-aware",)):
            weir, _ = self.held(*flags)
            for _ in range(2):
                _, why, chosen = self.ask(weir, chat(text="hello " * 60))
                self.assertEqual((why["policy"], chosen["predicted"], why["terms"][1]), ("kv", 0, 0), why)
                self.assertGreater(why["prompt_tokens"], 100)
            self.assertIsNone(metric(weir.http, "weir_kv_index_bytes"))

    def test_temperature_and_block_size(self):
        weir, _ = self.held("--router-temperature", "7", "--kv-cache-block-size", "8", workers=2)
        why, chosen = self.again(weir)
        self.assertEqual((why["why"], why["block"]), ("drawn by cost", 8))

    def test_predictions_are_bounded_and_pruned(self):
        weir, _ = self.held("--router-max-tree-size", "8", "--router-prune-target-ratio", "0.5")
        self.ask(weir, chat(text="hello " * 200))
        wait_until(lambda: metric(weir.http, "weir_router_predictions_total", what="pruned"), 10 * SLOW, "pruned")
        self.assertLessEqual(metric(weir.http, "weir_router_predicted_blocks"), 4)

    def test_retention_by_capacity(self):
        weir, model = self.demo("--router-mode", "kv", "--no-router-kv-events", "--router-approximate-cache-policy", "lru",
                                env={"WEIR_MOCKER_NUM_GPU_BLOCKS": "32"})
        for seed in range(12):
            self.ask(weir, chat(model, text=words(seed), max_tokens=1))
        wait_until(lambda: metric(weir.http, "weir_router_predictions_total", what="evicted"), 10 * SLOW, "older ones went")
        self.assertLessEqual(metric(weir.http, "weir_router_predicted_blocks"), 3 * 32)

    def test_accounts_of_requests_under_way(self):
        prompts = {}
        for flags in ((), ("--no-router-assume-kv-reuse",), ("--no-router-track-active-blocks",), ("--no-router-track-prefill-tokens",)):
            self.go.clear()
            weir, fakes = self.held(*flags)
            self.send_slow(weir, fakes, 2)
            prompts[flags] = [metric(weir.http, "dynamo_frontend_worker_active_" + what) for what in ("decode_blocks", "prefill_tokens")]
            self.go.set()
            wait_until(lambda: metric(weir.http, "weir_load_drift") == 0 and metric(weir.http, "smg_worker_requests_active") == 0, 10 * SLOW, "all let go")
            self.assertEqual(metric(weir.http, "dynamo_frontend_worker_active_decode_blocks"), 0, flags)
        (blocks, tokens), (twice, _), (untracked, _), (_, none) = prompts.values()
        self.assertGreater(blocks, 5)
        self.assertGreater(tokens, 60)
        self.assertGreaterEqual(twice, 2 * blocks - 2, "nothing is shared")
        self.assertEqual((untracked, none), (0, 0))

    def test_output_is_tracked(self):
        for flag, more in (("--router-track-output-blocks", True), ("--no-router-track-output-blocks", False)):
            weir, model = self.demo("--router-mode", "kv", flag)
            stream = self.stream(weir, chat(model, text="hi", stream=True, max_tokens=20_000))
            blocks = lambda: max(c["out_blocks"] for c in self.ask(weir, chat(model, text="ho", max_tokens=1))[1]["candidates"])
            if more:
                wait_until(lambda: blocks() > 1, 20 * SLOW, "generated blocks counted")
            else:
                stream.read_exactly(20_000)
                self.assertEqual(blocks(), 0)

    def test_thresholds_that_need_sizes(self):
        # KV blocks of a simulated engine are known; of any other engine the batch limit is 10,000,000 tokens.
        weir, model = self.demo("--router-mode", "kv", "--active-decode-blocks-threshold", "0.0")
        for seed in range(3):
            self.stream(weir, chat(model, text=words(seed), stream=True, max_tokens=20_000))
        answer = request(weir.http, "POST", CHAT, chat(model))
        self.assertEqual((answer.status, answer.json()["message"]), (503, "Service temporarily overloaded"))
        self.assertGreater(metric(weir.http, "dynamo_frontend_model_rejection_total", model=model), 0)
        weir, fakes = self.held("--active-prefill-tokens-threshold-frac", "0.000005", "--router-queue-threshold", "None")
        self.send_slow(weir, fakes)
        self.assertEqual(request(weir.http, "POST", CHAT, chat()).status, 503)

    def test_no_model_before_enough_workers(self):
        there = threading.Event()

        class Late(e2e.FakeWorker):
            asked = 0

            def _probe(self, peer, req):
                self.asked += 1
                return super()._probe(peer, req) if there.is_set() else peer.answer(503, b"{}")
        fake, late = self.keep(e2e.FakeWorker()), self.keep(Late())
        weir = self.keep(e2e.gateway("frontend", "--router-min-initial-workers", "2", workers=[fake.url, late.url]))
        wait_until(lambda: fake.connections and late.asked > 2, 10 * SLOW, "both were asked for their models")
        self.assertEqual(request(weir.http, "GET", "/v1/models").json()["data"], [])
        self.assertEqual(request(weir.http, "POST", CHAT, chat()).status, 404)
        there.set()
        wait_until(lambda: request(weir.http, "GET", "/v1/models").json()["data"], 20 * SLOW, "the second has come")
        self.works(weir)


class Moved(Asking):
    """Metrics of routing that no other test here moves."""
    def test_of_the_index_and_the_choice(self):
        weir, model = self.demo("--router-mode", "kv", "--router-temperature", "1000")
        body = chat(model, text=words(1), max_tokens=1)
        self.ask(weir, body)
        self.assertGreater(metric(weir.http, "smg_kv_index_entries"), 10)
        self.assertGreater(metric(weir.http, "weir_router_active_bytes"), 0)
        before = metric(weir.http, "weir_router_place_seconds_count")

        def elsewhere():
            self.ask(weir, body)
            return metric(weir.http, "dynamo_component_router_non_max_overlap_selections_total")
        wait_until(elsewhere, 20 * SLOW, "a draw that passes over who holds most")
        self.assertGreater(metric(weir.http, "weir_router_place_seconds_count"), before)

    def test_of_smgs_policies(self):
        weir, workers = self.served("launch", "--policy", "manual", workers=2)
        for _ in range(2):
            self.ask(weir, chat(), [("x-smg-routing-key", "a")])
        self.ask(weir, chat())
        branches = {b: metric(weir.metrics, "smg_manual_policy_branch_total", branch=b) for b in ("vacant", "occupied_hit", "no_routing_id")}
        self.assertEqual(branches, {"vacant": 1, "occupied_hit": 1, "no_routing_id": 1})
        for worker in workers:
            self.assertEqual(metric(weir.metrics, "smg_worker_health", worker=worker.url), 1)
        request(weir.http, "POST", CHAT, chat(stream=True))
        for name in ("smg_router_requests_total", "smg_router_ttft_seconds_count", "smg_router_generation_duration_seconds_count"):
            wait_until(lambda name=name: metric(weir.metrics, name), 10 * SLOW, name)
        weir, _ = self.served("launch", "--policy", "prefix_hash", workers=2)
        self.ask(weir, chat(text=words(1)))
        self.assertEqual(metric(weir.metrics, "smg_prefix_hash_policy_branch_total"), 1)


class Options(Asking):
    """Each has its value in the settled configuration. That the value gets to where it counts: src/gateway/policy_settings_test.cc, for
    every one; what it does then is tested above, in routing_test.py and beside its policy."""
    FLAGS = [
        ("frontend", "--router-queue-threshold", "router.queue_threshold", "7"),
        ("frontend", "--router-queue-policy", "router.queue_policy", "wspt"),
        ("frontend", "--router-session-affinity-ttl-secs", "router.affinity_ttl_s", "7"),
        ("frontend", "--router-session-affinity-mode", "router.affinity_mode", "soft"),
        ("frontend", "--no-kv-events", "kv.events", None),
        ("frontend", "--no-router-assume-kv-reuse", "kv.assume_reuse", None),
        ("frontend", "--no-router-kv-events", "kv.events", None),
        ("frontend", "--no-router-track-active-blocks", "kv.track_active_blocks", None),
        ("frontend", "--no-router-track-output-blocks", "kv.track_output_blocks", None),
        ("frontend", "--active-decode-blocks-threshold", "router.busy_decode_blocks", "0.5"),
        ("frontend", "--active-prefill-tokens-threshold", "router.busy_prefill_tokens", "7"),
        ("frontend", "--active-prefill-tokens-threshold-frac", "router.busy_prefill_frac", "7"),
        ("frontend", "--kv-cache-block-size", "kv.block_size", "7"),
        ("frontend", "--kv-overlap-score-weight", "kv.overlap_score_weight", "0.5"),
        ("frontend", "--router-assume-kv-reuse", "kv.assume_reuse", None),
        ("frontend", "--router-event-threads", "kv.event_threads", "7"),
        ("frontend", "--router-kv-events", "kv.events", None),
        ("frontend", "--router-kv-overlap-score-weight", "kv.overlap_score_weight", "0.5"),
        ("frontend", "--router-max-tree-size", "kv.tree_size_max", "7"),
        ("frontend", "--router-prune-target-ratio", "kv.prune_ratio", "0.5"),
        ("frontend", "--router-temperature", "kv.temperature", "7"),
        ("frontend", "--router-track-active-blocks", "kv.track_active_blocks", None),
        ("frontend", "--router-track-output-blocks", "kv.track_output_blocks", None),
        ("frontend", "--router-ttl-secs", "kv.ttl_s", "7"),
        ("launch", "--assignment-mode", "policies.assignment", "min_load"),
        ("launch", "--balance-abs-threshold", "policies.spill_abs", "7"),
        ("launch", "--balance-rel-threshold", "policies.spill_rel", "2"),
        ("launch", "--block-size", "policies.block_size", "7"),
        ("launch", "--cache-threshold", "policies.cache_threshold", "0.4"),
        ("launch", "--dp-minimum-tokens-scheduler", "policies.dp_min_tokens", None),
        ("launch", "--eviction-interval", "policies.eviction_interval_s", "7"),
        ("launch", "--max-idle-secs", "policies.sticky_idle_s", "7"),
        ("launch", "--max-tree-size", "policies.tree_size_max", "7"),
        ("launch", "--prefix-hash-load-factor", "policies.prefix_load_factor", "2"),
        ("launch", "--prefix-token-count", "policies.prefix_tokens", "7"),
    ]
    VARIABLES = [
        ("DYN_ACTIVE_DECODE_BLOCKS_THRESHOLD", "router.busy_decode_blocks", "0.5"),
        ("DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD", "router.busy_prefill_tokens", "7"),
        ("DYN_ACTIVE_PREFILL_TOKENS_THRESHOLD_FRAC", "router.busy_prefill_frac", "7"),
        ("DYN_ADMISSION_CONTROL", "router.admission_control", "token-capacity"),
        ("DYN_KV_CACHE_BLOCK_SIZE", "kv.block_size", "7"),
        ("DYN_ROUTER_ASSUME_KV_REUSE", "kv.assume_reuse", "true"),
        ("DYN_ROUTER_EVENT_THREADS", "kv.event_threads", "7"),
        ("DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT", "kv.overlap_credit", "7"),
        ("DYN_ROUTER_KV_OVERLAP_SCORE_CREDIT_DECAY", "kv.overlap_credit_decay", "7"),
        ("DYN_ROUTER_KV_OVERLAP_SCORE_WEIGHT", "kv.overlap_score_weight", "0.5"),
        ("DYN_ROUTER_MAX_TREE_SIZE", "kv.tree_size_max", "7"),
        ("DYN_ROUTER_PREDICTED_TTL_SECS", "kv.predicted_ttl_s", "7"),
        ("DYN_ROUTER_PREFILL_LOAD_SCALE", "kv.prefill_load_scale", "7"),
        ("DYN_ROUTER_PRUNE_TARGET_RATIO", "kv.prune_ratio", "0.5"),
        ("DYN_ROUTER_QUEUE_THRESHOLD", "router.queue_threshold", "7"),
        ("DYN_ROUTER_QUEUE_POLICY", "router.queue_policy", "wspt"),
        ("DYN_ROUTER_SESSION_AFFINITY_TTL_SECS", "router.affinity_ttl_s", "7"),
        ("DYN_ROUTER_SESSION_AFFINITY_MODE", "router.affinity_mode", "soft"),
        ("DYN_ROUTER_TEMPERATURE", "kv.temperature", "7"),
        ("DYN_ROUTER_TRACK_ACTIVE_BLOCKS", "kv.track_active_blocks", "true"),
        ("DYN_ROUTER_TRACK_OUTPUT_BLOCKS", "kv.track_output_blocks", "true"),
        ("DYN_ROUTER_TRACK_PREFILL_TOKENS", "kv.track_prefill_tokens", "true"),
        ("DYN_ROUTER_TTL_SECS", "kv.ttl_s", "7"),
        ("DYN_ROUTER_USE_KV_EVENTS", "kv.events", "true"),
        ("DYN_USE_KV_EVENTS", "kv.events", "true"),
    ]

    def settled(self, out, key, value):
        self.assertRegex(out, rf"(?m)^{re.escape(key)} = {re.escape(value)}(\s|$)")

    def test_flags(self):
        for dialect, flag, key, value in self.FLAGS:
            base = ["check-config", dialect] + (["--discovery-backend", "mem"] if dialect == "frontend" else [])
            code, out, err = e2e.run(*base, flag, *([value] if value else []))
            self.assertEqual(code, 0, (flag, err))
            self.settled(out, key, value or ("false" if flag.startswith("--no-") else "true"))

    def test_variables(self):
        for name, key, value in self.VARIABLES:
            _, out, _ = e2e.run("check-config", "frontend", "--discovery-backend", "mem", env={name: value})
            if key not in out or f"({name})" not in out:   # the endpoint picker's own
                self.assertIn("not supported yet", e2e.run("epp", env={name: value})[2], name)
            else:
                self.settled(out, key, value)


if __name__ == "__main__":
    e2e.main()
