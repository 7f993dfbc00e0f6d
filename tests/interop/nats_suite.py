"""A real nats-server (of Debian) between two nats_probes: the gateway's own client. Killed and started again under them."""
import pathlib
import signal

import certificates
import etcd_suite
import provide
import weir_process
from provide import Unavailable
from servers import Nats

PROBE = pathlib.Path(weir_process.BINARY).parent / "nats_probe"
SEED, KEY = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY", "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"   # of NATS' documentation


class Probe(etcd_suite.Watch):
    def __init__(self, servers, subject="weir.>", **variables):
        super().__init__(servers, subject, program=PROBE, **variables)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, subject, payload, seconds_max=20):
        before = len(self.read())
        self.say(f"ask {subject} {payload}")
        answers = lambda: [line for line in self.read()[before:] if line.startswith(("answer ", "failed "))]
        return weir_process.wait_until(answers, seconds_max, "an answer")[0]


def asked_and_heard(case, folder):
    with Nats(folder) as nats, Probe(nats.url, "weir.them.>") as them, Probe(nats.url, "weir.us") as us:
        them.until("up"), us.until("up")
        case.check("a request is answered", us.ask("weir.them.a", "hello") == "answer re: hello", us.read())
        case.check("with nobody there it fails at once", us.ask("weir.nobody", "x").startswith("failed connect_failed"), us.read())
        for how in (signal.SIGTERM, signal.SIGKILL):
            before = them.read().count("up")
            nats.end(how)
            weir_process.wait_until(lambda: them.read().count("down") == before, 20, "the loss is told")
            case.check("without a server a request fails", us.ask("weir.them.a", "x").startswith("failed connect_failed"), us.read())
            nats.start()
            weir_process.wait_until(lambda: them.read().count("up") == before + 1 and us.read().count("up") == before + 1, 30, "both are back")
            case.check(f"subscriptions are there again ({how.name})", us.ask("weir.them.b", "again") == "answer re: again", us.read())
        us.say("flood weir.them.flood 20000")
        us.until("flooded", 60)
        case.check("a request behind 20 MB is answered", us.ask("weir.them.c", "after", 60) == "answer re: after", us.read()[-3:])
        nats.process.send_signal(signal.SIGSTOP)
        us.say("ask weir.them.d frozen")
        case.check("a frozen server costs the request's time, no more", weir_process.wait_until(
            lambda: [line for line in us.read() if line.startswith("failed first_byte_timeout")], 20, "the failure"), us.read()[-3:])
        nats.process.send_signal(signal.SIGCONT)


def a_slow_reader_is_cut_off_and_comes_back(case, folder):
    with Nats(folder, "max_pending: 2MB", 'write_deadline: "500ms"') as nats, Probe(nats.url, "weir.them.>") as them, Probe(nats.url, "weir.us") as us:
        them.until("up"), us.until("up")
        them.process.send_signal(signal.SIGSTOP)
        us.say("flood weir.them.flood 20000")
        weir_process.wait_until(lambda: "Slow Consumer" in nats.log.read_text(errors="replace"), 30, "the server's patience ends")
        them.process.send_signal(signal.SIGCONT)
        weir_process.wait_until(lambda: them.read().count("up") == 2, 30, "the cut subscriber is back")
        us.until("flooded", 60)
        case.check("and hears again", us.ask("weir.them.a", "hello") == "answer re: hello", us.read()[-2:])


def who_we_are(case, folder):
    cases = [('authorization { user: "u", password: "p" }', {"NATS_AUTH_USERNAME": "u", "NATS_AUTH_PASSWORD": "p"}, "u:p@", {"NATS_AUTH_USERNAME": "u", "NATS_AUTH_PASSWORD": "x"}),
             ('authorization { token: "t" }', {"NATS_AUTH_TOKEN": "t"}, "t@", {"NATS_AUTH_TOKEN": "x"}),
             ('authorization { users: [ { nkey: %s } ] }' % KEY, {"NATS_AUTH_NKEY": SEED}, "", {})]
    for i, (line, variables, in_address, wrong) in enumerate(cases):
        with Nats(folder, line, name=f"nats{i}") as nats:
            with Probe(nats.url, **variables) as probe:
                probe.until("up")
                case.check(f"{', '.join(variables)}", probe.ask("weir.self", "x") == "answer re: x", probe.read())
            if in_address:
                with Probe(nats.url.replace("://", f"://{in_address}")) as probe:
                    probe.until("up")
                    case.check("the same in the address", True)
            with Probe(nats.url, **wrong) as probe:
                said = probe.ask("weir.self", "x")
                case.check("wrong ones are refused", said.startswith("failed connect_failed") and "Authorization Violation" in said, said)


def tls(case, folder):
    provide.tool("openssl", "openssl")
    ca = certificates.authority(folder, "nats-ca")
    key, cert = certificates.signed(folder, "nats-server", ca)
    client_key, client_cert = certificates.signed(folder, "nats-client", ca, "weir")
    lines = f'tls {{ cert_file: "{cert}", key_file: "{key}", ca_file: "{ca[1]}", verify: true }}'
    files = {"NATS_TLS_CA_CERT_PATH": str(ca[1]), "NATS_TLS_CLIENT_CERT_PATH": str(client_cert), "NATS_TLS_CLIENT_KEY_PATH": str(client_key)}
    with Nats(folder, lines) as nats:
        for url in (nats.url, nats.url.replace("nats://", "tls://")):
            with Probe(url, **files) as probe:
                probe.until("up")
                case.check(f"TLS with certificates both ways, {url.split(':')[0]}://", probe.ask("weir.self", "x") == "answer re: x", probe.read())
        for what, variables in (("without a certificate", {"NATS_TLS_CA_CERT_PATH": str(ca[1])}), ("without TLS", {}),
                                ("a server that is not trusted", {**files, "NATS_TLS_CA_CERT_PATH": str(client_cert)})):
            with Probe(nats.url, **variables) as probe:
                said = probe.ask("weir.self", "x")
                case.check(f"{what} is refused", said.startswith("failed connect_failed"), said)
        insecure = {name: path for name, path in files.items() if "CLIENT" in name}
        with Probe(nats.url, NATS_TLS_INSECURE="1", **insecure) as probe:
            probe.until("up")
            case.check("unless it need not be", probe.ask("weir.self", "x") == "answer re: x", probe.read())


def suite(setup, dialect, uses_tls):
    provide.nats_server()
    if not PROBE.exists():
        raise Unavailable(f"no {PROBE}: ninja nats_probe")
    return etcd_suite.run_parts((asked_and_heard, a_slow_reader_is_cut_off_and_comes_back, who_we_are, tls), "nats")
