"""What engines say of their load, and what routing makes of it: `weir launch` polls its workers."""
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
import toy_model  # noqa: E402
from e2e import CHAT, SLOW, FakeWorker, chat, metric, request, wait_until  # noqa: E402

FAST = ("--load-monitor-interval", "1")
OPEN = ("--disable-worker-overload-protection",)


class Engine(FakeWorker):
    """A worker that tells its load, on the page of its kind."""
    def __init__(self, kind="sglang", ranks=1, **load):
        self.kind, self.load, self.ranks, self.polls = kind, load, ranks, []
        super().__init__()

    def _probe(self, peer, asked):
        path = asked.path.split("?")[0]
        if path == "/server_info" and self.ranks > 1:
            return peer.answer(body={"dp_size": self.ranks})
        if path not in ("/v1/loads", "/metrics", "/get_load"):
            return super()._probe(peer, asked)
        self.polls.append(path)
        load = {"running": 0, "waiting": 0, "usage": 0.0, **self.load}
        if self.kind == "dumb":
            return peer.answer(500, b"no")
        if self.kind == "sglang" and path == "/v1/loads":
            used = load.get("used", [0] * self.ranks)     # tokens of each rank
            return peer.answer(body={"loads": [{"dp_rank": rank, "num_running_reqs": load["running"], "num_waiting_reqs": load["waiting"],
                                                "token_usage": load["usage"], "gen_throughput": 100.0, "cache_hit_rate": 0.5,
                                                "num_used_tokens": used[rank], "max_total_num_tokens": 1000} for rank in range(self.ranks)]})
        if self.kind == "vllm" and path == "/metrics":
            return peer.answer(content_type="text/plain", body="".join(f'vllm:{name}{{engine="0",model_name="fake"}} {value}\n' for name, value in (
                ("num_requests_running", load["running"]), ("num_requests_waiting", load["waiting"]), ("kv_cache_usage_perc", load["usage"]))))
        return peer.answer(404, b"{}", reason="Not Found")


class Case(e2e.Case):
    def before(self, *flags, engines):
        """A gateway that knows what each of its workers says."""
        engines = [self.keep(e) for e in engines]
        weir = self.keep(e2e.gateway("launch", *flags, workers=[e.url for e in engines]))
        self.ready(weir, workers=len(engines))
        if all(e.kind != "dumb" for e in engines):
            self.known(weir, engines)
        return weir, *engines

    def known(self, weir, engines):
        def all_known():
            return all(metric(weir.metrics, "smg_engine_waiting_requests", worker=e.url) == e.load.get("waiting", 0) and
                       metric(weir.metrics, "smg_engine_token_usage", worker=e.url) == e.load.get("usage", 0) for e in engines)
        wait_until(all_known, 10 * SLOW, "loads as the workers tell them")

    def ask(self, weir, text="hi", status=200):
        answer = request(weir.http, "POST", CHAT, chat(text=text))
        self.assertEqual(answer.status, status, answer)
        return answer

    def counts(self, weir, n, *engines):
        """How many of n more requests each engine got."""
        before = [len(e.requests) for e in engines]
        for _ in range(n):
            self.ask(weir)
        return [len(e.requests) - b for e, b in zip(engines, before)]


class Policies(Case):
    def test_the_shorter_wait_wins(self):
        for policy in ("power_of_two", "least_load"):
            for kind in ("sglang", "vllm"):
                weir, busy, idle = self.before("--policy", policy, *OPEN, engines=[Engine(kind, waiting=200, usage=0.5), Engine(kind)])
                self.assertEqual(self.counts(weir, 6, busy, idle), [0, 6], (policy, kind))

    def test_power_of_two_by_requests_under_way(self):
        weir, busy, idle = self.before("--policy", "power_of_two", "--power-of-two-load-metric", "requests", *OPEN,
                                       engines=[Engine(waiting=200), Engine()])
        wait_until(lambda: self.counts(weir, 1, busy, idle)[0], 10 * SLOW, "what is reported does not count")

    def test_loads_change_while_it_serves(self):
        weir, one, two = self.before("--policy", "least_load", *OPEN, *FAST, engines=[Engine(waiting=200), Engine()])
        self.assertEqual(self.counts(weir, 3, one, two), [0, 3])
        one.load, two.load = two.load, one.load
        self.known(weir, (one, two))
        self.assertEqual(self.counts(weir, 3, one, two), [3, 0])
        self.assertGreater(metric(weir.metrics, "smg_engine_load_polls_total", worker=one.url, mode="poll"), 1)

    def test_simulated_engines(self):
        fleet = self.keep(e2e.mocker("--num-workers", "2", "--max-num-seqs", "1", "--speedup-ratio", "1", "--itl-ms", "100"))
        urls = [f"http://127.0.0.1:{port}" for port in fleet.ready["ports"]]
        weir = self.keep(e2e.gateway("launch", "--policy", "least_load", *FAST, workers=urls))
        self.ready(weir, "demo", 2)
        held = [e2e.Connection(fleet.ready["ports"][0]) for _ in range(12)]
        for connection in held:                  # the first engine has one to run and eleven that wait
            self.keep(connection)
            connection.send(e2e.request_bytes("POST", CHAT, chat("demo", stream=True, max_tokens=1000)))
        wait_until(lambda: metric(weir.metrics, "smg_engine_waiting_requests", worker=urls[0]) == 11, 10 * SLOW, "eleven wait")
        for _ in range(4):
            answer = request(weir.http, "POST", CHAT, chat("demo", max_tokens=1))
            self.assertEqual((answer.status, answer.header("x-smg-routed-worker-id")), (200, urls[1]))
        self.assertEqual(metric(weir.metrics, "smg_workers_overloaded"), 1)

    def test_cache_aware_gives_affinity_up_under_pressure(self):
        for flags, stays in (((), True), (("--overload-token-usage-threshold", "0.8"), False), (("--balance-token-usage-threshold", "0.5"), False)):
            weir, one, two = self.before("--policy", "cache_aware", *OPEN, *FAST, *flags, engines=[Engine(), Engine()])
            text = "a long conversation " * 20
            self.ask(weir, text)
            home, other = (one, two) if one.requests else (two, one)
            home.load = {"usage": 0.9}
            self.known(weir, (one, two))
            self.ask(weir, text)
            self.assertEqual((len(home.requests), len(other.requests)), (2, 0) if stays else (1, 1), flags)


class Waiting(Case):
    """least_load passes over workers that have as many waiting as they may; when all have, requests wait."""
    def full(self, *flags):
        return self.before("--policy", "least_load", "--least-load-max-waiting-requests", "4", *OPEN, *FAST, *flags, engines=[Engine(waiting=4), Engine(waiting=9)])

    def send(self, weir):
        connection = self.keep(e2e.Connection(weir.http))
        connection.send(e2e.request_bytes("POST", CHAT, chat()))
        return connection

    def waiting(self, weir, n):
        wait_until(lambda: metric(weir.metrics, "dynamo_frontend_router_queue_pending_requests", model="fake") == n, 10 * SLOW, f"{n} waiting")

    def test_until_a_worker_has_room(self):
        weir, one, two = self.full()
        client = self.send(weir)
        self.waiting(weir, 1)
        self.assertEqual((one.requests, two.requests), ([], []))
        two.load = {"waiting": 3}
        self.assertEqual(client.read_answer().status, 200)
        self.assertEqual((len(one.requests), len(two.requests)), (0, 1))
        self.waiting(weir, 0)

    def test_what_was_sent_since_counts_too(self):
        weir, one = self.before("--policy", "least_load", "--least-load-max-waiting-requests", "2", "--load-monitor-interval", "3600", *OPEN, engines=[Engine()])
        self.assertEqual(self.counts(weir, 2, one), [2])
        self.send(weir)
        self.waiting(weir, 1)

    def test_so_many_and_no_more(self):
        weir, one, two = self.full()
        for _ in range(100):
            self.send(weir)
        self.waiting(weir, 100)
        answer = self.ask(weir, status=429)
        self.assertEqual((answer.json()["error"]["code"], answer.header("retry-after")), ("admission_queue_full", "2"))


class Tokens(Case):
    def served_with_tokens(self, *flags):
        folder = self.keep(tempfile.TemporaryDirectory())
        toy_model.write(folder)
        return self.before("--policy", "cache_aware", "--model-path", str(folder), *flags, engines=[Engine(), Engine()])

    def why(self, weir, text):
        answer = request(weir.http, "POST", CHAT, chat(text=text), [("x-weir-decision", "1")])
        self.assertEqual(answer.status, 200, answer)
        why = json.loads(answer.header("x-weir-decision"))
        return why, why["candidates"][why["chosen"]]

    def predicted(self, weir, blocks):
        wait_until(lambda: metric(weir.metrics, "weir_router_predicted_blocks") == blocks, 10 * SLOW, f"{blocks} blocks believed to be held")

    def test_a_prompt_goes_where_its_tokens_went(self):
        for flags, block in (((), 16), (("--block-size", "32"), 32)):
            weir, *_ = self.served_with_tokens(*flags)
            held = 0
            for text in ("hello " * 60, "other words " * 40, "and a third text " * 30):
                why, first = self.why(weir, text)
                self.assertEqual((why["block"], first["predicted"], why["why"]), (block, 0, "no match"), why)
                held += why["prompt_tokens"] // block
                self.predicted(weir, held)
                again, same = self.why(weir, text)
                self.assertEqual((same["id"], same["predicted"], again["why"]), (first["id"], why["prompt_tokens"] // block, "was sent this before"), again)

    def test_a_short_match_is_none(self):
        for flags, matches in (((), True), (("--cache-threshold", "0.9"), False)):
            weir, *_ = self.served_with_tokens("--block-size", "1", *flags)
            start = "word " * 60
            why, _ = self.why(weir, start)
            self.predicted(weir, why["prompt_tokens"])
            again, _ = self.why(weir, start + "more " * 40)
            self.assertEqual(again["why"], "was sent this before" if matches else "no match", again)

    def test_what_is_remembered_is_bounded(self):
        weir, *_ = self.served_with_tokens("--block-size", "4", "--max-tree-size", "160")
        for n in range(8):
            self.why(weir, f"{n} " * 40)
        wait_until(lambda: metric(weir.metrics, "weir_router_predictions_total", what="pruned"), 10 * SLOW, "room was made")
        self.assertLessEqual(metric(weir.metrics, "weir_router_predicted_blocks"), 40)


class Overload(Case):
    def test_who_is_overloaded_is_left_out(self):
        for load, flags in (({"waiting": 8}, ()), ({"usage": 0.8}, ()), ({"waiting": 3}, ("--worker-overload-waiting-requests", "3")),
                            ({"usage": 0.25}, ("--worker-overload-token-usage", "0.25"))):
            weir, full, open_ = self.before("--policy", "round_robin", *flags, engines=[Engine(**load), Engine()])
            self.assertEqual(self.counts(weir, 4, full, open_), [0, 4], (load, flags))
            self.assertEqual(metric(weir.metrics, "smg_workers_overloaded"), 1)
            self.assertEqual(metric(weir.metrics, "weir_router_rejected_ranks_total", reason="overloaded"), 4)

    def test_unless_protection_is_off(self):
        weir, full, open_ = self.before("--policy", "round_robin", *OPEN, engines=[Engine(waiting=100, usage=1.0), Engine()])
        self.assertEqual(self.counts(weir, 4, full, open_), [2, 2])

    def test_when_all_are_one_of_them_takes_it(self):
        weir, one, two = self.before("--policy", "round_robin", engines=[Engine(waiting=8), Engine(usage=1.0)])
        self.assertEqual(sum(self.counts(weir, 4, one, two)), 4)
        self.assertEqual(metric(weir.metrics, "smg_worker_overload_fallback_total", stage="selection"), 4)
        self.assertEqual(metric(weir.metrics, "smg_worker_overload_shed_total", stage="selection"), 0)

    def test_or_the_request_is_shed(self):
        weir, one, two = self.before("--policy", "round_robin", "--worker-overload-shed", *FAST, engines=[Engine(waiting=8), Engine(usage=1.0)])
        answer = self.ask(weir, status=503)
        self.assertEqual(answer.json(), {"error": {"type": "server_error", "code": "worker_overload_protection_shed",
                                                   "message": "All workers for model 'fake' are overloaded", "param": None}})
        self.assertEqual((answer.header("x-smg-error-code"), answer.header("retry-after")), ("worker_overload_protection_shed", "1"))
        self.assertEqual(metric(weir.metrics, "smg_worker_overload_shed_total", stage="selection"), 1)
        two.load = {}
        self.known(weir, (one, two))
        self.assertEqual(self.counts(weir, 2, one, two), [0, 2])


class Ranks(Case):
    def rank_of(self, answer, engine):
        body = engine.requests[-1].json()
        self.assertEqual(engine.requests[-1].header("x-data-parallel-rank"), str(body["data_parallel_rank"]))
        self.assertEqual(answer.header("x-smg-routed-worker-id"), f"{engine.url}@{body['data_parallel_rank']}")
        return body["data_parallel_rank"]

    def test_each_rank_is_a_worker_of_its_own(self):
        weir, engine = self.before("--policy", "round_robin", "--dp-aware", engines=[Engine(ranks=3)])
        self.assertEqual([self.rank_of(self.ask(weir), engine) for _ in range(6)], [0, 1, 2, 0, 1, 2])
        answer = request(weir.http, "POST", CHAT, chat(data_parallel_rank=7), [("x-data-parallel-rank", "1")])
        self.assertEqual(self.rank_of(answer, engine), 1, "the client's choice, as everywhere in a header")
        self.assertEqual(engine.requests[-1].body.count(b"data_parallel_rank"), 1)
        self.assertEqual(metric(weir.metrics, "smg_worker_requests_active", worker=engine.url), 0)

    def test_who_has_one_rank_or_does_not_say_is_left_alone(self):
        weir, engine = self.before("--policy", "round_robin", "--dp-aware", engines=[Engine()])
        answer = self.ask(weir)
        self.assertNotIn(b"data_parallel_rank", engine.requests[-1].body)
        self.assertEqual((engine.requests[-1].header("x-data-parallel-rank"), answer.header("x-smg-routed-worker-id")), (None, engine.url))

    def test_the_rank_with_the_fewest_tokens(self):
        weir, engine = self.before("--policy", "round_robin", "--dp-aware", "--dp-minimum-tokens-scheduler", *FAST,
                                   engines=[Engine(ranks=3, used=[500, 100, 300])])
        self.assertEqual({self.rank_of(self.ask(weir), engine) for _ in range(4)}, {1})
        engine.load = {"used": [0, 100, 300]}
        wait_until(lambda: self.rank_of(self.ask(weir), engine) == 0, 10 * SLOW, "the new loads")

    def test_simulated_engines(self):
        fleet = self.keep(e2e.mocker("--dp-size", "2"))
        weir = self.keep(e2e.gateway("launch", "--policy", "round_robin", "--dp-aware", workers=[f"http://127.0.0.1:{fleet.http}"]))
        self.ready(weir, "demo")
        for _ in range(6):
            self.assertEqual(request(weir.http, "POST", CHAT, chat("demo", max_tokens=2)).status, 200)
        for rank in "01":
            self.assertEqual(metric(fleet.http, "vllm:request_success_total", engine=rank), 3)

    def test_several_models_need_no_mode(self):
        code, out, err = e2e.run("check-config", "launch", "--enable-igw")
        self.assertEqual(code, 0, err)
        self.assertIn("--enable-igw has no effect", out + err)


class Monitor(Case):
    def test_what_is_told_is_shown_and_what_is_lost_is_gone(self):
        weir, engine = self.before(*FAST, engines=[Engine(running=3, waiting=2, usage=0.5)])
        shown = {"running_requests": 3, "waiting_requests": 2, "token_usage": 0.5, "gen_throughput": 100, "cache_hit_rate": 0.5}
        for name, value in shown.items():
            self.assertEqual(metric(weir.metrics, "smg_engine_" + name, dp_rank="0", model="fake", worker=engine.url), value, name)
        engine.kind = "dumb"
        wait_until(lambda: metric(weir.metrics, "weir_engine_load_failures_total", worker=engine.url), 10 * SLOW, "a poll that failed")
        self.assertNotIn("smg_engine_waiting_requests{", request(weir.metrics, "GET", "/metrics").text)
        self.works(weir)

    def test_nobody_is_asked_where_nobody_wants_to_know(self):
        blind = ("--policy", "round_robin", *OPEN, "--disable-load-monitoring")
        weir, engine = self.before(*blind, engines=[Engine("dumb")])
        self.counts(weir, 5, engine)
        self.assertEqual(engine.polls, [])
        for flags in ((*blind, "--engine-metrics"), (*blind, "--policy", "least_load"), ("--policy", "round_robin", "--disable-load-monitoring"),
                      ("--policy", "round_robin", *OPEN)):
            self.before(*flags, engines=[Engine()])   # returns when loads are known

    def test_engines_that_tell_nothing_are_served(self):
        weir, one, two = self.before("--policy", "least_load", *FAST, engines=[Engine("dumb"), Engine("dumb")])
        wait_until(lambda: metric(weir.metrics, "weir_engine_load_failures_total", worker=two.url), 10 * SLOW, "a poll that failed")
        self.assertEqual(sum(self.counts(weir, 4, one, two)), 4)
        self.assertEqual(sorted(set(one.polls)), ["/get_load", "/metrics", "/v1/loads"])


if __name__ == "__main__":
    e2e.main()
