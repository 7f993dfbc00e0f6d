"""TLS towards clients and workers: protocols, certificates that change while connections live, client certificates."""
import pathlib
import shutil
import ssl
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import e2e  # noqa: E402
from certificates import authority, signed  # noqa: E402
from e2e import CHAT, Connection, FakeWorker, chat, event, request, wait_until  # noqa: E402


class Tls(e2e.Case):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("openssl"):
            raise e2e.unittest.SkipTest("no openssl command")
        cls.temporary = tempfile.TemporaryDirectory(prefix="weir-tls-")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.ca = authority(cls.folder, "test-ca")
        cls.other_ca = authority(cls.folder, "other-ca")
        cls.server = signed(cls.folder, "server", cls.ca)
        cls.second = signed(cls.folder, "second", cls.ca, subject="second")
        cls.client = signed(cls.folder, "client", cls.ca, subject="client")
        cls.stranger = signed(cls.folder, "stranger", cls.other_ca, subject="stranger")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def trusting(self, client=None):
        context = ssl.create_default_context(cafile=str(self.ca[1]))
        if client:
            context.load_cert_chain(client[1], client[0])
        return context

    def secure(self, dialect, key, cert, *flags):
        names = ("--tls-cert-path", "--tls-key-path")
        worker = self.keep(FakeWorker())
        weir = self.keep(e2e.gateway(dialect, names[0], cert, names[1], key, *flags, workers=[worker.url]))
        self.ready(weir, tls=self.trusting())
        return weir, worker

    def test_both_dialects_serve_and_verify(self):
        for dialect in e2e.DIALECTS:
            with self.subTest(dialect):
                weir, _ = self.secure(dialect, *self.server)
                answer = request(weir.http, "POST", CHAT, chat(stream=True), tls=self.trusting())
                self.assertEqual(answer.events()[-1], "[DONE]")

    def test_alpn_and_versions(self):
        weir, _ = self.secure("launch", *self.server)
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), (["http/1.1", "h2"], ("h2", "http/1.1"))):
            with Connection(weir.http, tls=self.trusting(), alpn=offered) as c:
                self.assertIn(c.socket.selected_alpn_protocol(), chosen)
        old = self.trusting()
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises((ssl.SSLError, OSError)):
            Connection(weir.http, tls=old)

    def test_plain_http_to_a_tls_port_is_no_harm(self):
        weir, _ = self.secure("launch", *self.server)
        with Connection(weir.http) as c:
            c.send("GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
            c.closed_now()
        self.assertEqual(request(weir.http, "GET", "/health", tls=self.trusting()).text, "OK")

    def test_new_certificates_are_taken_without_dropping_a_connection(self):
        key, cert = self.folder / "live.key", self.folder / "live.crt"
        shutil.copy(self.server[0], key)
        shutil.copy(self.server[1], cert)
        weir, _ = self.secure("launch", key, cert)

        def subject():
            with Connection(weir.http, tls=self.trusting()) as c:
                return dict(pair[0] for pair in c.socket.getpeercert()["subject"])["commonName"]
        self.assertEqual(subject(), "localhost")
        with Connection(weir.http, tls=self.trusting()) as old:
            old.send_request("GET", "/health")
            self.assertEqual(old.read_answer().text, "OK")
            for source, target in ((self.second[0], key), (self.second[1], cert)):
                fresh = target.with_suffix(".new")
                shutil.copy(source, fresh)
                fresh.rename(target)
            wait_until(lambda: subject() == "second", 15, "the new certificate")
            old.send_request("POST", CHAT, chat())
            self.assertEqual(old.read_answer().status, 200)
        cert.write_text("not a certificate")           # a bad file changes nothing
        for _ in range(3):
            self.assertEqual(subject(), "second")
        self.assertIsNone(weir.process.poll())

    def test_clients_must_show_a_certificate_when_asked(self):
        weir, _ = None, None
        worker = self.keep(FakeWorker())
        weir = self.keep(e2e.gateway("frontend", "--tls-cert-path", self.server[1], "--tls-key-path", self.server[0],
                                     "--tls-client-ca-cert-path", self.ca[1], workers=[worker.url]))
        self.assertEqual(request(weir.http, "GET", "/live", tls=self.trusting(self.client)).status, 200)
        for context in (self.trusting(), self.trusting(self.stranger)):
            with self.assertRaises((ssl.SSLError, OSError, EOFError)):
                request(weir.http, "GET", "/live", tls=context)

    def worker_tls(self, server, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server[1], server[0])
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca[1])
        return context

    def test_workers_over_tls_with_our_certificate(self):
        worker = self.keep(FakeWorker(tls=self.worker_tls(self.server, self.ca)))
        weir = self.keep(e2e.gateway("launch", "--ca-cert-paths", self.ca[1], "--client-cert-path", self.client[1], "--client-key-path",
                                     self.client[0], workers=[worker.url]))
        self.ready(weir)
        self.works(weir)
        answer = request(weir.http, "POST", CHAT, chat(stream=True))
        self.assertEqual(answer.events()[-1], "[DONE]")

    def test_a_worker_that_cannot_be_trusted_gets_nothing(self):
        worker = self.keep(FakeWorker(tls=self.worker_tls(self.stranger)))
        weir = self.keep(e2e.gateway("launch", "--ca-cert-paths", self.ca[1], "--disable-retries", workers=[worker.url]))
        answer = request(weir.http, "POST", CHAT, chat())
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertEqual(worker.requests, [])

    def test_bad_files_are_said_at_start(self):
        for word, flags in (("/nowhere.crt", ["--tls-cert-path", "/nowhere.crt", "--tls-key-path", self.server[0]]),
                            ("key", ["--tls-cert-path", self.server[1], "--tls-key-path", self.second[0]]),
                            ("key", ["--tls-cert-path", self.server[1]])):
            with self.subTest(str(flags)):
                code, _, err = e2e.run("launch", "--host", "127.0.0.1", "--port", "0", "--prometheus-port", "0", *flags)
                self.assertNotEqual(code, 0)
                self.assertIn(word, err.lower())


if __name__ == "__main__":
    e2e.main()
