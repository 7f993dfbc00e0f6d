"""What every tests/e2e/*_test.py shares: the parts it talks through, and a runner that cannot hang.

    import e2e                       # after putting tests/support on sys.path
    class Relay(e2e.Case): ...
    e2e.main()
"""
import contextlib
import faulthandler
import os
import sys
import unittest

import http_probe
import weir_process
from fake_worker import FakeWorker, completion, event, polite      # noqa: F401  (for the tests)
from http_probe import Connection, chat, metric, raw, request, request_bytes       # noqa: F401
from weir_process import gateway, mocker, run, wait_until           # noqa: F401

CHAT = "/v1/chat/completions"
DIALECTS = ("frontend", "launch")
SLOW = 5 if "asan" in weir_process.BINARY or "tsan" in weir_process.BINARY else 1     # how much longer a sanitizer may take
SOAK = os.environ.get("WEIR_SOAK") == "1"


class Case(unittest.TestCase):
    maxDiff = 4000

    def served(self, dialect, *flags, script=polite, workers=1, env=None, model="fake"):
        """A gateway before that many fake workers; all of it ends with the test. Returns (gateway, [worker...])."""
        fakes = [self.keep(FakeWorker(script, model)) for _ in range(workers)]
        weir = self.keep(gateway(dialect, *flags, workers=[f.url for f in fakes], env=env))
        self.ready(weir, model, workers if dialect == "launch" else 0)
        return weir, fakes

    def keep(self, thing):
        stack = self.__dict__.get("stack")
        if stack is None:
            stack = self.stack = contextlib.ExitStack()
            self.addCleanup(stack.close)
        return stack.enter_context(thing)

    def ready(self, weir, model="fake", workers=0, **connection):
        """Workers are looked at in the background: until the model is listed, and that many serve it."""
        if workers > 1:
            wait_until(lambda: request(weir.http, "GET", "/readiness").json().get("healthy_workers") == workers, 10 * SLOW, "all workers healthy")
        wait_until(lambda: model in request(weir.http, "GET", "/v1/models", **connection).text, 10 * SLOW, f"model {model} listed")

    def works(self, weir, model="fake"):
        """An ordinary request on a fresh connection is answered."""
        answer = request(weir.http, "POST", CHAT, chat(model))
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("choices", answer.json())

    def error_of(self, dialect, answer):
        """The parts of an error body that both dialects have, after checking that it has the dialect's shape."""
        self.assertEqual(answer.header("content-type", "").split(";")[0], "application/json", answer)
        body = answer.json()
        if dialect == "frontend":
            self.assertEqual(body["code"], answer.status, answer)
            self.assertTrue(body["message"] and body["type"], answer)
            return body["message"]
        self.assertEqual(set(body), {"error"}, answer)
        self.assertTrue({"message", "type", "param", "code"} <= set(body["error"]), answer)
        return body["error"]["message"]

    def no_address(self, answer, workers):
        """Clients never see where workers are."""
        for worker in workers:
            self.assertNotIn(str(worker.port), answer.text, answer)


def main():
    faulthandler.dump_traceback_later(int(os.environ.get("WEIR_TEST_SECONDS", "240")), exit=True)
    if not os.access(weir_process.BINARY, os.X_OK):
        print(f"skipped: {weir_process.BINARY} is not built")
        sys.exit(77)
    unittest.main(verbosity=2)


__all__ = [name for name in globals() if not name.startswith("_")] + ["http_probe"]
