"""Settings that reach the wire, by every way they can be given: flags, the peers' variables, the file."""
import json
import pathlib
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
import weir_process  # noqa: E402
from certificates import authority, signed  # noqa: E402
from e2e import CHAT, FakeWorker, chat, metric, raw, request, wait_until  # noqa: E402

PROMPT, INPUT = ({"model": "fake", field: "x"} for field in ("prompt", "input"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Options(e2e.Case):
    def start(self, command, *flags, env=None):
        """Exactly these flags, nothing added."""
        return self.keep(weir_process.Weir(command, *flags, env=env))

    def worker(self):
        return self.keep(FakeWorker())

    def test_the_frontends_variables(self):
        port = free_port()
        weir = self.start("frontend", "--worker-urls", self.worker().url,
                          env={"DYN_HTTP_HOST": "127.0.0.1", "DYN_HTTP_PORT": str(port), "DYN_METRICS_PREFIX": "mine", "DYN_ROUTER_MODE": "random"})
        self.assertEqual(weir.http, port)
        self.ready(weir)
        self.works(weir)
        wait_until(lambda: metric(weir.http, "mine_requests_total"), 5, "mine_requests_total")
        with socket.socket() as other:
            with self.assertRaises(OSError):
                other.bind(("127.0.0.1", port))
        code, _, err = weir_process.run("frontend", "--worker-urls", "http://127.0.0.1:1", env={"DYN_ROUTER_REPLICA_SYNC": "1"})
        self.assertEqual(code, 2)
        self.assertIn("not supported yet: router replicas (DYN_ROUTER_REPLICA_SYNC)", err)

    def test_a_flag_beats_the_variable_beats_the_file(self):
        ports = [free_port() for _ in range(3)]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "weir.yaml")
            file.write_text(f"listen: {{port: {ports[2]}, host: 127.0.0.1}}\nworkers: {{urls: [\"{self.worker().url}\"]}}\n")
            for flags, env, want in ((["--http-port", ports[0]], {"DYN_HTTP_PORT": str(ports[1])}, ports[0]),
                                     ([], {"DYN_HTTP_PORT": str(ports[1])}, ports[1]), ([], {}, ports[2])):
                with weir_process.Weir("frontend", "--config", file, *flags, env=env) as weir:
                    self.assertEqual(weir.http, want)

    def test_every_path_can_be_moved(self):
        moved = {"DYN_HTTP_SVC_CHAT_PATH_ENV": ("/v1/chat/completions", "/a", "POST", json.dumps(chat())),
                 "DYN_HTTP_SVC_CMP_PATH_ENV": ("/v1/completions", "/b", "POST", json.dumps(PROMPT)),
                 "DYN_HTTP_SVC_EMB_PATH_ENV": ("/v1/embeddings", "/c", "POST", json.dumps(INPUT)),
                 "DYN_HTTP_SVC_MODELS_PATH_ENV": ("/v1/models", "/d", "GET", None),
                 "DYN_HTTP_SVC_HEALTH_PATH_ENV": ("/health", "/e", "GET", None),
                 "DYN_HTTP_SVC_LIVE_PATH_ENV": ("/live", "/f", "GET", None),
                 "DYN_HTTP_SVC_METRICS_PATH_ENV": ("/metrics", "/g", "GET", None)}
        weir = self.start("frontend", "--http-host", "127.0.0.1", "--http-port", "0", "--worker-urls", self.worker().url,
                          env={name: new for name, (_, new, _, _) in moved.items()})
        wait_until(lambda: "fake" in request(weir.http, "GET", "/d").text, 10, "model listed")
        for name, (old, new, method, body) in moved.items():
            with self.subTest(name):
                self.assertEqual(request(weir.http, method, new, body).status, 200)
                self.assertEqual(request(weir.http, method, old, body).status, 404)
        self.assertEqual(request(weir.http, "GET", "/d/fake").json()["id"], "fake")

    def test_certificates_by_variable(self):
        import ssl
        with tempfile.TemporaryDirectory() as folder:
            ca = authority(pathlib.Path(folder), "ca")
            key, cert = signed(pathlib.Path(folder), "server", ca)[:2]
            weir = self.start("frontend", "--http-host", "127.0.0.1", "--http-port", "0", "--discovery-backend", "mem",
                              env={"DYN_TLS_CERT_PATH": str(cert), "DYN_TLS_KEY_PATH": str(key)})
            context = ssl.create_default_context(cafile=str(ca[1]))
            self.assertEqual(request(weir.http, "GET", "/live", tls=context).status, 200)

    def test_discovery_backend(self):
        for flags, env in ((["--discovery-backend", "mem"], {}), (["--store-kv", "mem"], {}), ([], {"DYN_DISCOVERY_BACKEND": "mem"})):
            with weir_process.Weir("frontend", "--http-host", "127.0.0.1", "--http-port", "0", *flags, env=env) as weir:
                self.assertEqual(request(weir.http, "GET", "/live").status, 200)
        for flags, env in ((["--discovery-backend", "kubernetes"], {}), ([], {"DYN_DISCOVERY_BACKEND": "kubernetes"})):
            code, out, err = weir_process.run("frontend", "--http-port", "0", *flags, env=env)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("not supported yet: discovery backend", err)

    def test_router_mode(self):
        for mode in ("round-robin", "round_robin", "random", "power-of-two"):
            with self.subTest(mode):
                workers = [self.worker() for _ in range(2)]
                weir = self.keep(e2e.gateway("frontend", "--router-mode", mode, workers=[w.url for w in workers]))
                self.ready(weir)
                e2e.wait_until(lambda: self.works(weir) or all(w.requests for w in workers), 20 * e2e.SLOW, "both workers are known")
                before = [len(w.requests) for w in workers]
                for _ in range(16):
                    self.works(weir)
                got = [len(w.requests) - b for w, b in zip(workers, before)]
                self.assertGreater(min(got), 0, got)
                if mode.startswith("round"):
                    self.assertEqual(got, [8, 8])

    def test_shutdown_time_by_variable(self):
        def script(peer, r):
            peer.start_stream()
            peer.chunk(e2e.event("one"))
            peer.gone(20)
        weir, _ = self.served("frontend", script=script, env={"DYN_HTTP_GRACEFUL_SHUTDOWN_TIMEOUT_SECS": "1"})
        with e2e.Connection(weir.http) as c:
            c.send_request("POST", CHAT, chat(stream=True))
            c.read_head()
            next(c.chunks())
            weir.signal()
            self.assertIsNotNone(weir.wait(15))            # not the worker's 20 seconds

    def test_dump(self):
        with tempfile.TemporaryDirectory() as folder:
            for flags, env in ((["--dump-config-to", f"{folder}/a"], {}), ([], {"DYN_DUMP_CONFIG_TO": f"{folder}/a"})):
                file = pathlib.Path(folder, "a")
                file.unlink(missing_ok=True)
                weir, _ = self.served("frontend", *flags, env=env)
                self.assertIn("  prefix: \"dynamo_frontend\"   # default\n", file.read_text())
                self.assertIn("  port: 0   # --http-port\n", file.read_text())
                again = self.start("frontend", "--config", file)
                self.assertNotEqual(again.http, weir.http)

    def test_cors(self):
        weir, _ = self.served("launch", "--cors-allowed-origins", "http://good.example", "http://fine.example")
        for origin, allowed in (("http://good.example", True), ("http://fine.example", True), ("http://bad.example", False)):
            answer = request(weir.http, "GET", "/v1/models", headers=[("origin", origin)])
            self.assertEqual(answer.header("access-control-allow-origin"), origin if allowed else None)
        preflight = raw(weir.http, f"OPTIONS {CHAT} HTTP/1.1\r\nhost: x\r\norigin: http://good.example\r\n"
                                   "access-control-request-method: POST\r\nconnection: close\r\n\r\n")
        self.assertIn(preflight.status, (200, 204))
        self.assertEqual(preflight.header("access-control-allow-origin"), "http://good.example")
        closed, _ = self.served("launch")
        self.assertIsNone(request(closed.http, "GET", "/v1/models", headers=[("origin", "http://good.example")]).header("access-control-allow-origin"))

    def test_duration_buckets(self):
        weir, _ = self.served("launch", "--prometheus-duration-buckets", "0.25", "7.5")
        self.works(weir)
        name = "smg_http_request_duration_seconds_bucket"
        text = wait_until(lambda: name in (t := request(weir.metrics, "GET", "/metrics").text) and t, 5, name)
        bounds = {line.split('le="')[1].split('"')[0] for line in text.splitlines() if line.startswith(name)}
        self.assertEqual(bounds, {"0.25", "7.5", "+Inf"})

    def test_metrics_on_an_address_of_their_own(self):
        weir = self.start("launch", "--host", "127.0.0.1", "--port", "0", "--prometheus-host", "127.0.0.2", "--prometheus-port", "0")
        with socket.create_connection(("127.0.0.2", weir.metrics), 5) as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            self.assertTrue(s.makefile("rb").read().startswith(b"HTTP/1.1 200 "))
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", weir.metrics), 5)

    def test_log_level_by_variable(self):
        for env, wanted in (({"RUST_LOG": "smg=error"}, False), ({"RUST_LOG": "info"}, True)):
            weir, _ = self.served("launch", env=env)
            request(weir.http, "POST", CHAT, chat(), [("x-request-id", "find-me")])
            if wanted:
                wait_until(lambda: "find-me" in weir.log(), 5, "the access line")
            else:
                weir.stop()
                self.assertNotIn("find-me", weir.log())

    def test_mistakes(self):
        for arguments, words in ((["launch", "--prot", "1"], ["--prot is not known", "--port"]),
                                 (["frontend", "--discovery-backend", "mem", "--enable-anthropic-api"], ["not supported yet: the Anthropic Messages API"]),
                                 (["launch", "--retry-max-retries", "3"], ["not supported yet: retries"]),
                                 (["epp"], ["not supported yet"]), (["check-config", "launch", "--port", "-5"], ["--port", "0..65535"])):
            with self.subTest(" ".join(arguments)):
                code, out, err = weir_process.run(*arguments)
                self.assertEqual((code, out), (2, ""))
                for word in words:
                    self.assertIn(word, err)

    def test_check_config_and_completion(self):
        code, out, err = weir_process.run("check-config", "frontend", "--discovery-backend", "mem", env={"DYN_HTTP_PORT": "9"})
        self.assertEqual((code, err), (0, ""))
        self.assertIn("listen.port = 9   (DYN_HTTP_PORT)", out)
        for shell in ("bash", "zsh", "fish"):
            code, out, _ = weir_process.run("completion", shell)
            self.assertEqual(code, 0)
            if shell == "bash":
                self.assertEqual(subprocess.run(["bash", "-n"], input=out, text=True).returncode, 0)

    def test_a_switch_that_is_off_is_not_refused(self):
        weir, _ = self.served("launch", "--disable-retries", "--disable-circuit-breaker", "--disable-health-check", "--no-enable-mesh",
                              "--max-concurrent-requests", "-1", "--history-backend", "none")
        self.works(weir)
        weir, _ = self.served("frontend", "--no-router-replica-sync", "--router-kv-events", "--migration-limit", "0", "--request-plane", "tcp",
                              env={"ETCD_ENDPOINTS": "http://nowhere:2379", "NATS_SERVER": "nats://nowhere", "POD_NAME": "me"})
        self.works(weir)


if __name__ == "__main__":
    e2e.main()
