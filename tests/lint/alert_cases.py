"""What each alert is shown: figures that it has to fire on, and figures just below, at which it has to stay silent.

A series is a function from the number of the step to its value. Counters are marked as such, so that a restart of the daemon,
which begins them anew, can be played into every case.
"""
import dataclasses
import typing

GONE = float("nan")  # at this step the series is not there

Value = typing.Callable[[int], float]


@dataclasses.dataclass(frozen=True)
class Series:
    at: Value
    counter: bool = False


def still(value: float) -> Series:
    return Series(lambda step: value)


def grows(by: float) -> Series:
    """A counter, so much a step."""
    return Series(lambda step: by * step, counter=True)


def then(first: float, later: float, when: int) -> Series:
    return Series(lambda step: first if step < when else later)


def speeds(slow: float, fast: float, when: int) -> Series:
    """A counter that grows by one rate, then by another."""
    return Series(lambda step: slow * min(step, when) + fast * max(0, step - when), counter=True)


def once(by: float, when: int) -> Series:
    """A counter that was incremented at one moment."""
    return Series(lambda step: 0 if step < when else by, counter=True)


@dataclasses.dataclass(frozen=True)
class Case:
    alert: str
    fires: dict[str, Series]
    below: dict[str, Series]                # instead of those of `fires`
    labels: dict[str, str]                  # that the one alert bears, besides severity and the like
    beside: frozenset[str] = frozenset()    # alerts that these figures have to raise as well
    spare: frozenset[str] = frozenset()     # families without which it fires all the same
    steps: int = 45
    minutes: int = 1                        # that a step takes
    drain: int = 45                         # steps after which nothing of what is gone can be in a range any more
    reset: int = 20                         # the step at which the daemons are restarted in one of the runs


def of(name: str, /, **labels: str) -> str:
    """A series of node a, unless `instance` says otherwise."""
    every = {"job": "peerwatch", "instance": "a"} | labels
    return name + "{" + ", ".join(f'{label}="{value}"' for label, value in every.items()) + "}"


def by_path(instance: str = "a", **counts: float) -> dict[str, Series]:
    return {of("p2p_peers_by_path", instance=instance, path=path): still(count) for path, count in counts.items()}


def views(**seen: float) -> dict[str, Series]:
    """What nodes say of peer x; each of them reaches somebody."""
    told = {of("p2p_peer_connected", instance=node, peer_id="x"): still(view) for node, view in seen.items()}
    return told | {key: series for node in seen for key, series in by_path(node, direct_v4=3).items()}


def loss(forward: float, back: float, expected: float = 60) -> dict[str, Series]:
    return {of(f"p2p_probes_{what}_total", peer_id="x", direction=direction): grows(by)
            for what, direction, by in (("expected", "forward", expected), ("expected", "return", expected),
                                        ("lost", "forward", forward * expected), ("lost", "return", back * expected))}


ROUND_TRIPS = ("1.0", "50.0", "100.0", "200.0", "+Inf")


def rtt(usual: str, slow: Series, bound: str) -> dict[str, Series]:
    """Of 60 echoes a step, `slow` many are in the bucket up to `bound`, the others in that up to `usual`."""
    def count(le: str) -> Series:
        among = [ROUND_TRIPS.index(le) >= ROUND_TRIPS.index(one) for one in (usual, bound)]
        return Series(lambda step: among[0] * (60 * step - slow.at(step)) + among[1] * slow.at(step), counter=True)
    return {of("p2p_rtt_milliseconds_bucket", peer_id="x", le=le): count(le) for le in ROUND_TRIPS}


def traversals(success: Series, failure: Series) -> dict[str, Series]:
    return {of("nat_results_total", result="success", method="punch", failure="none"): success,
            of("nat_results_total", result="failure", method="punch", failure="timeout"): failure}


def up(name: str, nodes: str, **labels: str) -> dict[str, Series]:
    """A digit for each node: whether it is connected to the server."""
    return {of(name, instance=f"node-{number}", **labels): still(int(digit)) for number, digit in enumerate(nodes)}


def attempts(success: float, failed: float) -> dict[str, Series]:
    return {of("p2p_connection_attempts_total", result="success"): grows(success),
            of("p2p_connection_attempts_total", result="failed"): grows(failed)}


def breakers(open_: float, closed: float, **peers: float) -> dict[str, Series]:
    """How many a node counts, and which of the labelled ones are open."""
    return {of("p2p_circuit_breakers", state="open"): still(open_), of("p2p_circuit_breakers", state="closed"): still(closed)} | {
        of("p2p_circuit_breaker_state", peer_id=peer, state="open"): still(value) for peer, value in peers.items()}


NODE_INFO = of("peerwatch_node_info", peer_id="own", name="a", mesh="m")
CONFIGURED, PEERS = of("p2p_peers_configured"), of("p2p_peers", state="connected")
LOST_SESSIONS = of("p2p_connection_state_transitions_total", from_state="connected", to_state="failed")
BY_TLS, BY_ADMISSION = (of("p2p_connection_errors_total", error_type=error) for error in ("tls", "admission"))
BY_DNS = of("p2p_discovery_failures_total", discovery_method="dns")
CHANGED_PATHS = of("p2p_path_changes_total", from_path="direct_v4", to_path="relay_quic", reason="path_lost")
INFEASIBLE = of("nat_results_total", result="failure", method="none", failure="infeasible")
DROPPED, FORWARDED = of("p2p_relay_dropped_packets_total", reason="queue"), of("p2p_relay_forwarded_packets_total")
STARTED, RELOADED = of("process_start_time_seconds"), of("peerwatch_config_last_reload_successful")
CERTIFICATE, JUMPS = of("peerwatch_tls_certificate_expiry_timestamp_seconds"), of("peerwatch_clock_jumps_total")
QUEUE, BUDGET = of("peerwatch_queue_dropped_total", queue="datagrams"), of("peerwatch_budget_denied_total", budget="packets")
SUSPECT, EXPECTED = of("p2p_probes_suspect_total", peer_id="x"), of("p2p_probes_expected_total", peer_id="x", direction="forward")
USABLE = of("p2p_path_usable", peer_id="x", path="direct_v4", size="full")
SEEN_BY_A = of("p2p_peer_connected", peer_id="x")

JOB = {"job": "peerwatch"}
NODE = JOB | {"instance": "a"}
PEER = JOB | {"peer_id": "x"}

CONNECTIONS = [
    Case("NodeIsolated", by_path(none=2, direct_v4=0) | {CONFIGURED: still(2), NODE_INFO: still(1)}, by_path(direct_v4=1),
         NODE | {"peer_id": "own"}),
    Case("NodeIsolated", by_path(none=2) | {CONFIGURED: still(2), NODE_INFO: still(1)} | by_path(direct_v4=0),
         {CONFIGURED: still(0)}, NODE | {"peer_id": "own"}),  # a server that waits for others
    Case("TooFewPeers", by_path(none=4, direct_v4=1) | {CONFIGURED: still(5)}, by_path(direct_v4=2), JOB),
    Case("TooFewPeers", by_path(none=1, direct_v4=1) | {CONFIGURED: still(2)}, {CONFIGURED: still(1)}, JOB),
    Case("ConnectionFailureRate", attempts(2, 3) | by_path(none=3, direct_v4=2), attempts(3, 3), JOB),
    Case("ConnectionFailureRate", attempts(0.3, 0.9) | by_path(none=3, direct_v4=2), attempts(0.2, 0.75), JOB),  # under 10
    Case("ConnectionFailureRate", attempts(2, 3) | by_path(none=3, direct_v4=2), by_path(none=2), JOB),
    Case("PeerDown", views(a=0, b=0), views(b=1), PEER),
    Case("PeerDown", views(a=0, b=0), by_path("a", direct_v4=0) | by_path("b", direct_v4=0), PEER),  # no witness
    Case("RelayedPeerDown",
         views(b=0) | by_path(direct_v4=3) | {
             SEEN_BY_A: then(1, 0, 30),
             of("p2p_peer_path", peer_id="x", path="direct_v4"): still(0),
             of("p2p_peer_path", peer_id="x", path="relay_quic"): then(1, 0, 30)},
         {SEEN_BY_A: still(1)}, PEER, reset=10),
    Case("BreakersOpen", breakers(2, 8, x=1, y=1), breakers(1.9, 8.1), JOB, beside=frozenset({"BreakerOpen"})),
    Case("BreakersOpen", breakers(2, 8, x=1, y=1), breakers(2, 8, x=1, y=0), JOB, beside=frozenset({"BreakerOpen"})),  # one peer
    Case("BreakerOpen", breakers(1, 9, x=1), breakers(0, 10, x=0), PEER, spare=frozenset({"p2p_circuit_breakers"})),
    Case("MeshViewsDiffer", views(a=1, b=0), views(b=1), JOB),
    Case("PeerChurn", {LOST_SESSIONS: grows(0.5), PEERS: still(3)}, {PEERS: still(4)}, NODE),
    Case("ConnectionErrors", {BY_TLS: grows(0.8)}, {BY_TLS: grows(0.6)}, JOB | {"error_type": "tls"}),
    Case("AdmissionRefusals", {BY_ADMISSION: grows(0.8)}, {BY_ADMISSION: grows(0.6)}, JOB),
    Case("DiscoveryFailures", {BY_DNS: once(1, 30)}, {BY_DNS: grows(0)}, JOB | {"discovery_method": "dns"}, drain=75),
]

PERFORMANCE = [
    # 109 ms, and 75 ms, where it was under one the day before.
    Case("HighRtt", rtt("1.0", speeds(0, 3.3, 100), "200.0"), rtt("1.0", speeds(0, 6, 100), "100.0"), PEER, steps=135),
    # 158 ms, and 133 ms, where it was 97.5.
    Case("HighRtt", rtt("100.0", speeds(0, 7.2, 100), "200.0"), rtt("100.0", speeds(0, 4.5, 100), "200.0"), PEER, steps=135),
    Case("PacketLoss", loss(0.06, 0), loss(0.04, 0), PEER | {"direction": "forward"}),
    Case("PacketLoss", loss(0, 0.06, expected=11), loss(0, 0.06, expected=9), PEER | {"direction": "return"}),  # under 100
    Case("OneWayLoss", loss(0.25, 0.015), loss(0.19, 0.015), PEER, beside=frozenset({"PacketLoss"})),
    Case("OneWayLoss", loss(0.015, 0.25), loss(0.025, 0.25), PEER, beside=frozenset({"PacketLoss"})),
    Case("OneWayLoss", loss(0.25, 0, expected=11), loss(0.25, 0, expected=9), PEER, beside=frozenset({"PacketLoss"})),
    Case("FullSizeBlackHole", {USABLE: still(0)}, {USABLE: still(1)}, PEER | {"path": "direct_v4"}),
    Case("PathFlapping", {CHANGED_PATHS: grows(0.35), PEERS: still(3)}, {PEERS: still(4)}, NODE, steps=60, drain=60),
]

NAT = [
    Case("EverythingRelayed", by_path(relay_quic=2, direct_v4=0) | {INFEASIBLE: grows(0)}, by_path(direct_v4=1), NODE, steps=60),
    Case("EverythingRelayed", by_path(relay_quic=3, direct_v4=0) | {INFEASIBLE: still(1)}, {INFEASIBLE: still(2)}, NODE, steps=60),
    Case("NatSuccessDropped", traversals(speeds(9, 5, 160), speeds(1, 5, 160)), traversals(speeds(9, 7, 160), speeds(1, 3, 160)),
         JOB, steps=245, minutes=5, drain=90),
    Case("NatSuccessDropped", traversals(speeds(0.9, 0.1, 160), speeds(0.1, 0.2, 160)),
         traversals(speeds(0.9, 0.08, 160), speeds(0.1, 0.16, 160)), JOB, steps=245, minutes=5, drain=90),  # under 20
    Case("BootstrapDown", up("bootstrap_up", "00011", bootstrap="one"), up("bootstrap_up", "00111", bootstrap="one"),
         JOB | {"bootstrap": "one"}),
    Case("RelayDown", up("p2p_relay_up", "00011", relay="one", transport="quic"),
         up("p2p_relay_up", "10000", relay="one", transport="websocket"), JOB | {"relay": "one"}),
    Case("RelaySaturated", {DROPPED: grows(12), FORWARDED: grows(1000)}, {DROPPED: grows(9)}, NODE),
]

DAEMON = [
    Case("DaemonNotScraped", {of("up"): still(0), NODE_INFO: then(1, GONE, 10)}, {of("up"): still(1)}, NODE | {"peer_id": "own"},
         spare=frozenset({"peerwatch_node_info"})),
    Case("RestartLoop", {STARTED: Series(lambda step: step // 10)}, {STARTED: Series(lambda step: step // 15)}, NODE, drain=55),
    Case("ReloadFailed", {RELOADED: still(0)}, {RELOADED: still(1)}, NODE),
    Case("CertificateExpires", {CERTIFICATE: still(14 * 86400)}, {CERTIFICATE: still(15 * 86400)}, NODE, steps=90),
    Case("ClockTrouble", {JUMPS: grows(0.06)}, {JUMPS: grows(0.04)}, NODE, steps=75, drain=100),
    Case("VersionSkew", {of("peerwatch_build_info", version="1.0.0"): still(1),
                         of("peerwatch_build_info", version="1.1.0", instance="b"): still(1)},
         {of("peerwatch_build_info", version="1.1.0", instance="b"): then(1, GONE, 20)}, JOB, steps=300, minutes=10),
    Case("SeriesFolded", {PEERS: still(2), SEEN_BY_A: still(1)}, {PEERS: still(1)}, NODE),
    Case("EventsDropped", {QUEUE: grows(8)}, {QUEUE: grows(6)}, NODE | {"queue": "datagrams"}),
    Case("MonitorStarved", {SUSPECT: grows(12), EXPECTED: grows(100), NODE_INFO: still(1)}, {SUSPECT: grows(10)},
         NODE | {"peer_id": "own"}),
    Case("BudgetExhausted", {BUDGET: grows(8)}, {BUDGET: grows(6)}, NODE | {"budget": "packets"}),
]

CASES = CONNECTIONS + PERFORMANCE + NAT + DAEMON
