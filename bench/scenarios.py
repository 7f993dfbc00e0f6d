"""What is measured, on whom, and the figure that has to be met."""
import dataclasses

ALL = ("direct", "raw", "weir", "haproxy", "smg")
TLS = ("weir", "haproxy", "smg")


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    worker: tuple               # flags of fake_worker
    load: tuple                 # flags of load_generator
    gateways: tuple = ALL
    turns: int = 3              # alternations in a whole run
    columns: tuple = ()         # of the report
    per: str = "req"            # what CPU is counted by

    def offered_to(self, gateway):
        return gateway in self.gateways or gateway == "nginx"

    @property
    def tls(self):
        return "--tls" in self.load

    def load_args(self, quick):
        """A quick run measures half as long and ramps faster."""
        args = list(self.load)
        for flag in ("--seconds", "--ramp"):
            if quick and flag in args:
                at = args.index(flag) + 1
                args[at] = str(max(1.0, float(args[at]) / 2))
        return args


def scenario(name, title, worker, load, **rest):
    return Scenario(name, title, tuple(worker.split()), tuple(load.split()), **rest)


UNARY = ("cpu", "user", "rps", "lat_p50_us", "lat_p99_us", "rss_mb")
STREAM = ("cpu", "user", "tokps", "ttft_p50_us", "ttft_p99_us", "transit_p50_us", "transit_p99_us", "rss_mb")

SCENARIOS = {s.name: s for s in (
    scenario("S1", "non-stream, 1 KB each way, 64 connections, closed loop",
             "--answer-bytes 1024", "--connections 64 --seconds 4 --warm 1.5 --body-bytes 1024", columns=UNARY),
    scenario("S1open", "non-stream, 1 KB, Poisson at 2,000 requests/s",
             "--answer-bytes 1024", "--connections 256 --seconds 4 --warm 1 --rate 2000 --body-bytes 1024", columns=UNARY),
    scenario("S2", "64 streams of 128 tokens, no pause between tokens",
             "--tokens 128", "--connections 64 --seconds 4 --warm 1.5 --stream --tokens 128", columns=STREAM, per="tok"),
    scenario("S2open", "streams of 32 tokens 10 ms apart, Poisson at 250 streams/s",
             "--tokens 32 --itl-us 10000", "--connections 1024 --seconds 5 --warm 2 --stream --tokens 32 --rate 250", columns=STREAM, per="tok"),
    scenario("S3a", "500 streams, a token each 20 ms (25,000 chunks/s)",
             "--tokens 100 --itl-us 20000", "--connections 500 --seconds 6 --ramp 2 --warm 1 --stream --tokens 100",
             turns=7, columns=STREAM, per="tok"),
    scenario("S3b", "9,000 streams, a token each 500 ms (18,000 chunks/s)",
             "--tokens 40 --itl-us 500000", "--connections 9000 --seconds 8 --ramp 15 --warm 3 --stream --tokens 40",
             columns=STREAM + ("bytes_per_stream",), per="tok"),
    scenario("S4", "multi-turn conversations growing to 32 KB, 64 connections",
             "--answer-bytes 1024", "--connections 64 --seconds 4 --warm 1.5 --body-bytes 32768 --multi-turn", columns=UNARY),
    scenario("S5", "TLS 1.3, kept connections, 1 KB, 64 connections",
             "--answer-bytes 1024", "--connections 64 --seconds 4 --warm 1.5 --tls", gateways=TLS, columns=UNARY),
    scenario("S5new", "TLS 1.3, a full handshake for each request, 16 connections",
             "--answer-bytes 1024", "--connections 16 --seconds 4 --warm 1 --tls --nokeep", gateways=TLS, columns=UNARY),
)}


@dataclasses.dataclass(frozen=True)
class Target:
    """`value` of weir, minus or divided by the same turn's value of another gateway, is at most `at_most`."""
    scenario: str
    what: str
    value: str
    at_most: float
    over: str = ""              # ratio to this gateway
    minus: str = ""             # difference to this gateway
    digits: int = 2


TARGETS = (
    Target("S1", "CPU us per request", "cpu", 23, digits=1),
    Target("S1", "CPU, weir / haproxy", "cpu", 1, over="haproxy"),
    Target("S1", "CPU, weir / smg", "cpu", 1 / 12, over="smg", digits=3),
    Target("S1open", "added p50, weir - haproxy, us", "lat_p50_us", 0, minus="haproxy", digits=0),
    Target("S1open", "added p99, weir - haproxy, us", "lat_p99_us", 0, minus="haproxy", digits=0),
    Target("S3a", "CPU, weir / raw epoll", "cpu", 1.15, over="raw"),
    Target("S3a", "user us per chunk", "user", 3),
    Target("S2", "CPU, weir / raw epoll", "cpu", 1.15, over="raw"),
    Target("S2", "CPU, weir / smg", "cpu", 0.6, over="smg"),
    Target("S2open", "added TTFT p50, us", "ttft_p50_us", 160, minus="direct", digits=0),
    Target("S3b", "bytes of memory per stream", "bytes_per_stream", 2048, digits=0),
    Target("S3b", "p99 transit, weir / haproxy", "transit_p99_us", 1, over="haproxy"),
    Target("S4", "CPU, weir / haproxy", "cpu", 1.2, over="haproxy"),
    Target("S4", "CPU, weir / smg", "cpu", 1 / 6, over="smg", digits=3),
    Target("S5", "CPU, weir / haproxy", "cpu", 1, over="haproxy"),
    Target("S5new", "CPU, weir / haproxy", "cpu", 1, over="haproxy"),
    Target("launch", "start to first byte served, ms", "first_byte_ms", 50, digits=1),
    Target("launch", "idle memory, MB", "idle_rss_mb", 10, digits=1),
    Target("launch", "stripped binary, MB", "binary_mb", 25, digits=1),
)
