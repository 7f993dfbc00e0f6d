"""The router's queue: requests wait in the gateway while every worker is full."""
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


class Queue(e2e.Case):
    """Workers are full with one prompt that is being computed; an engine of unknown size takes batches of 10,000,000 tokens."""
    def setUp(self):
        self.go = {name: threading.Event() for name in ("slow", "late")}

    def full(self, *flags, workers=1, threshold="0.000005"):
        def script(peer, req):
            for name, event in self.go.items():
                if name in req.body.decode():
                    event.wait(20)
            return e2e.polite(peer, req)
        folder = self.keep(tempfile.TemporaryDirectory())
        toy_model.write(folder)
        weir, fakes = self.served("frontend", "--router-mode", "kv", "--no-router-kv-events", "--router-queue-threshold", threshold, *flags,
                                  script=script, workers=workers, env={"WEIR_TEXT_MODEL_PATH": str(folder)})
        wait_until(lambda: metric(weir.http, "smg_worker_pool_size", model="fake") == workers, 10 * SLOW, "all workers")
        for n in range(1, workers + 1):   # prompts that have nothing in common, one after the other: each to another worker
            self.send(weir, f"{n} " * 20 + "slow " * 60)
            wait_until(lambda n=n: sum(len(f.requests) for f in fakes) == n, 10 * SLOW, f"{n} workers are full")
        self.assertTrue(all(f.requests for f in fakes))
        return weir, fakes

    def send(self, weir, text, *headers):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(request(weir.http, "POST", CHAT, chat(text=text), [*WHY, *headers])))
        thread.start()
        self.addCleanup(thread.join)
        for event in self.go.values():   # cleanups run backwards: before the join
            self.addCleanup(event.set)

        def joined():
            thread.join()
            return answers[0]
        return joined

    def waiting(self, weir, n):
        wait_until(lambda: metric(weir.http, "dynamo_frontend_router_queue_pending_requests", model="fake") == n, 10 * SLOW, f"{n} waiting")

    def test_requests_wait_for_room(self):
        weir, (worker,) = self.full()
        answer = self.send(weir, "hi")
        self.waiting(weir, 1)
        self.assertEqual(len(worker.requests), 1)
        self.go["slow"].set()
        answer = answer()
        self.assertEqual(answer.status, 200, answer)
        self.assertGreater(json.loads(answer.header("x-weir-decision"))["queue_ms"], 0)
        self.waiting(weir, 0)
        wait_until(lambda: metric(weir.http, "dynamo_frontend_worker_active_prefill_tokens") == 0, 10 * SLOW, "all let go")
        self.works(weir)
        self.assertEqual(metric(weir.http, "weir_load_drift"), 0)

    def test_order(self):
        weir, (worker,) = self.full()
        answers = []
        for n, (text, *headers) in enumerate([("first " * 60,), ("second " * 60, ("x-dynamo-request-priority", "3600")),
                                              ("third " * 60, ("x-dynamo-request-strict-priority", "1"))]):
            answers.append(self.send(weir, text, *headers))
            self.waiting(weir, n + 1)
        self.go["slow"].set()
        for answer in answers:
            self.assertEqual(answer().status, 200)
        order = [next(w for w in ("slow", "first", "second", "third") if w in r.body.decode()) for r in worker.requests]
        self.assertEqual(order, ["slow", "third", "second", "first"])

    def test_short_ones_first(self):
        weir, (worker,) = self.full("--router-queue-policy", "wspt")
        answers = []
        for n, times in enumerate((90, 60, 120)):
            answers.append(self.send(weir, "word " * times))
            self.waiting(weir, n + 1)
        self.go["slow"].set()
        for answer in answers:
            self.assertEqual(answer().status, 200)
        self.assertEqual([r.body.decode().count("word") for r in worker.requests], [0, 60, 90, 120])

    def test_who_leaves_waits_no_longer(self):
        weir, (worker,) = self.full()
        body = json.dumps(chat(text="gone")).encode()
        with socket.create_connection(("127.0.0.1", weir.http)) as client:
            client.sendall(b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (CHAT.encode(), len(body), body))
            self.waiting(weir, 1)
        self.waiting(weir, 0)
        self.go["slow"].set()
        self.works(weir)
        self.assertFalse([r for r in worker.requests if b"gone" in r.body])

    def test_a_pinned_request_waits_for_its_own_worker(self):
        weir, (one, two) = self.full("--router-session-affinity-ttl-secs", "60", workers=2)
        pinned = self.send(weir, "hi", ("x-session-id", "s"))
        self.waiting(weir, 1)
        self.go["slow"].set()
        home = json.loads(pinned().header("x-weir-decision"))["candidates"][0]["id"]
        wait_until(lambda: metric(weir.http, "dynamo_frontend_worker_active_prefill_tokens") == 0, 10 * SLOW, "all let go")
        before = len(one.requests), len(two.requests)
        self.send(weir, "late " * 60, ("x-session-id", "s"))
        wait_until(lambda: (len(one.requests), len(two.requests)) != before, 10 * SLOW, "its worker is full")
        pinned = self.send(weir, "hi", ("x-worker-instance-id", home))
        self.waiting(weir, 1)
        self.assertEqual(request(weir.http, "POST", CHAT, chat()).status, 200, "others go where there is room")
        self.go["late"].set()
        self.assertEqual(json.loads(pinned().header("x-weir-decision"))["candidates"][0]["id"], home)

    def test_classes(self):
        file = self.keep(tempfile.NamedTemporaryFile("w", suffix=".yaml"))
        file.write("""
default_policy_family: chat
uncached_isl_buckets: [{min_tokens: 0, bucket: all}]
policy_classes:
  - {name: chats, policy_family: chat, cache_bucket: all, quantum: 1, prefill_busy_threshold: 50, request_queue_limit_per_worker: 1}
  - {name: vip, quantum: 1}
""")
        file.flush()
        weir, (worker,) = self.full("--router-policy-config", file.name, threshold="None")
        count = lambda what, **labels: metric(weir.http, "dynamo_frontend_router_" + what, model="fake", **labels)
        waits = self.send(weir, "hi", ("x-dynamo-meta-policy-class", "chats"))   # a family's class cannot be asked for: as if it said nothing
        wait_until(lambda: count("queue_pending_requests", policy_class="chats") == 1, 10 * SLOW, "one waits")
        tokens = count("queue_pending_isl_tokens", policy_class="chats")
        self.assertGreater(tokens, 0)
        self.assertLessEqual(count("queue_pending_cached_tokens", policy_class="chats"), tokens)
        refused = request(weir.http, "POST", CHAT, chat())
        self.assertEqual((refused.status, refused.json()["details"]["policy_class"], refused.json()["details"]["limit_kind"]), (503, "chats", "requests"))
        self.assertEqual(request(weir.http, "POST", CHAT, chat(), [("x-dynamo-meta-policy-class", "vip")]).status, 200, "never waits")
        self.assertEqual(count("queue_backpressure_total", policy_class="chats", reason="request_limit"), 1)
        self.assertEqual((count("admission_received_total", policy_class="chats"), count("admission_received_total", policy_class="vip")), (3, 1))
        self.go["slow"].set()
        self.assertEqual(waits().status, 200)
        wait_until(lambda: count("queue_pending_isl_tokens", policy_class="chats") == 0, 10 * SLOW, "nobody waits")

    def test_without_a_threshold_nobody_waits(self):
        weir, (worker,) = self.full(threshold="None")
        self.assertEqual(self.send(weir, "hi")().status, 200)


if __name__ == "__main__":
    e2e.main()
