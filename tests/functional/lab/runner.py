"""Runs a scenario with real daemons, and says what was seen as docs/scenarios.md has it."""
import contextlib
import dataclasses
import pathlib
import tempfile
import time

from node import Node

from . import coturn, wire
from .engines import KERNEL, against, bridged
from .internet import HostSpace, Internet
from .scenario import Action, Expectation, Host, Scenario

POLL = 0.05  # seconds between two looks at the daemons
PORT = 9470


class Daemon(Node):
    """With default probes, on all addresses, asked over its control socket only: its host is not on our network."""

    def __init__(self, space: HostSpace, host: Host, folder: pathlib.Path):
        space.address = host.addresses[0]
        super().__init__(space, folder)
        self.addresses = [f"[{a}]:{PORT}" if ":" in a else f"{a}:{PORT}" for a in host.addresses]
        self.api = self.socket
        everywhere = (f"[::]:{PORT}" if any(":" in a for a in host.addresses) else None,
                      f"0.0.0.0:{PORT}" if any(":" not in a for a in host.addresses) else None)
        self.config["network"]["listen"] = [a for a in everywhere if a]
        self.config["http"] = {"listen": [], "control_socket": self.socket}
        self.config["probe"] = {}

    def knows(self, *others: "Daemon", hidden: frozenset[str] = frozenset()) -> None:
        self.config["peer"] += [{"id": o.id, "name": o.name} | ({} if o.name in hidden else {"addresses": o.addresses})
                                for o in others]


@dataclasses.dataclass
class Watch:
    """One expectation, and what came of it."""
    number: int
    expectation: Expectation
    ok: bool | None = None  # None: not known yet
    seen: dict = dataclasses.field(default_factory=dict)
    why: str = ""

    def result(self) -> dict:
        return {"expect": self.number, "ok": bool(self.ok), "seen": self.seen, "why": self.why}


class Run:
    def __init__(self, scenario: Scenario, engine: str, folder: pathlib.Path, cleanup: contextlib.ExitStack):
        self.scenario, self.cleanup = scenario, cleanup
        self.net = Internet(scenario, engine)
        cleanup.callback(self.net.close)
        self.wire = wire.Wire(self.net) if self.net.carried() else None
        if self.wire:
            cleanup.callback(self.wire.close)
        self.daemons = {host.name: Daemon(self.net.hosts[host.name], host, folder)
                        for host in scenario.hosts.values() if host.peers is not None}
        for daemon in self.daemons.values():
            cleanup.callback(self.end, daemon)
            host = scenario.hosts[daemon.name]
            daemon.knows(*(self.daemons[p] for p in host.peers), hidden=frozenset(host.hidden))
        for host in scenario.hosts.values():
            if host.serves:
                cleanup.callback(coturn.Server(self.net.hosts[host.name], host.stun_addresses).close)
        self.discoveries: dict[int, coturn.Discovery] = {}
        self.watches = [Watch(n, e) for n, e in enumerate(scenario.expectations)]
        self.later: list[tuple[float, object]] = []  # ends of what lasts
        self.problems: list[str] = []

    def end(self, daemon: Daemon) -> None:
        if daemon.alive:
            daemon.process.kill()
            daemon.process.wait()

    # ---- time
    def now(self) -> float:
        return time.monotonic() - self.began

    def until(self, at: float, watch: Watch | None = None) -> None:
        """Watches what is watched, until then, or until this is seen."""
        while True:
            due = [entry for entry in self.later if entry[0] <= self.now()]
            for entry in due:
                self.later.remove(entry)
                entry[1]()
            self.look()
            left = at - self.now()
            if left <= 0 or (watch and watch.ok is not None):
                return
            time.sleep(min(left, POLL))

    def run(self) -> None:
        steps = [(action.at, 0, action) for action in self.scenario.actions] + \
            [(watch.expectation.at, 1, watch) for watch in self.watches]
        steps.sort(key=lambda step: step[:2])  # actions of an instant before expectations
        self.began = time.monotonic()
        if self.wire:
            self.wire.start()
        while steps and steps[0][0] == 0 and steps[0][1] == 0:
            self.do(steps.pop(0)[2])
        for daemon in self.daemons.values():
            if self.scenario.hosts[daemon.name].start:
                daemon.start(wait=False)
        for at, _, step in steps:
            if isinstance(step, Action):
                self.until(at)
                self.do(step)
            else:
                self.until(at, step)
                self.settle(step)
        for watch in self.watches:
            if watch.number in self.discoveries:
                self.judge(watch, self.discoveries.pop(watch.number).verdict())

    # ---- what befalls it
    def do(self, action: Action) -> None:
        daemon = self.daemons.get(action.target)
        match action.what:
            case "kill":
                daemon.kill()
            case "stop":
                if (status := daemon.stop()) != 0:
                    self.problems.append(f"{daemon.name} ended with {status} on SIGTERM")
            case "start":
                daemon.start(wait=False)
            case "freeze":
                daemon.freeze()
                self.later.append((self.now() + action.lasts, daemon.thaw))
            case "unplug" | "plug" if self.net.first_cable(action.target) in self.net.carried().values():
                self.wire.do(what=action.what, host=action.target)
            case "unplug":
                self.net.unplug(action.target)
            case "plug":
                self.net.plug_in(action.target)
            case "link":
                self.net.set_link(action.target, action.to, action.link, action.both)
            case "reboot" if action.target in self.net.routers:
                router = self.net.routers[action.target]
                if action.lasts:
                    router.power_off()
                    self.later.append((self.now() + action.lasts, router.start))
                else:
                    router.start()
            case "addresses":
                self.net.set_addresses(action.target, action.addresses)

    # ---- what is seen
    def peer(self, one: str, other: str) -> dict | None:
        """As `one` tells about `other`; None: it does not run, or does not answer yet."""
        daemon = self.daemons[one]
        if not daemon.alive:
            return None
        try:
            return daemon.peer(self.daemons[other])
        except OSError:
            return None

    def states(self, pair: tuple[str, str]) -> tuple[str, str]:
        return tuple((self.peer(*ends) or {"state": "not running"})["state"] for ends in (pair, pair[::-1]))

    def look(self) -> None:
        for watch in self.watches:
            expectation = watch.expectation
            if watch.ok is None and expectation.after is not None and self.now() >= expectation.after:
                self.compare_states(watch)

    def compare_states(self, watch: Watch) -> None:
        states = self.states(watch.expectation.pair)
        connected = [state == "connected" for state in states]
        if all(connected) if watch.expectation.what == "connected" else not any(connected):
            watch.ok, watch.why, watch.seen = True, "", {"at_s": round(self.now(), 3)}
        else:
            watch.why = ", ".join(f"{name} says {state}" for name, state in zip(watch.expectation.pair, states))

    def settle(self, watch: Watch) -> None:
        """Its time has come."""
        expectation = watch.expectation
        if watch.ok is not None:
            return
        match expectation.what:
            case "connected" | "disconnected":
                self.compare_states(watch)
                watch.ok = bool(watch.ok)
            case "rtt":
                peer = self.peer(*expectation.pair)
                used = [p["rtt_ms"] for p in (peer or {}).get("paths", []) if p["in_use"] and p["rtt_ms"] is not None]
                self.measure(watch, "rtt_ms", used[0] if used else None, expectation.value * 1000,
                             expectation.value * 1000 * expectation.within)
            case "loss":
                self.measure(watch, "loss", self.loss(*expectation.pair), expectation.value, expectation.within)
            case "nat":
                behind, server = (self.scenario.hosts[name] for name in expectation.pair)
                asked = server.stun_addresses[0]
                own = next(a for a in behind.addresses if (":" in a) == (":" in asked))
                self.discoveries[watch.number] = coturn.Discovery(self.net.hosts[behind.name], own, asked)

    def loss(self, one: str, other: str) -> float | None:
        try:
            metrics = self.daemons[one].metrics()
        except OSError:
            return None
        which = {"peer_id": self.daemons[other].short_id, "direction": "forward"}
        expected = metrics.value("p2p_probes_expected_total", **which)
        return (metrics.value("p2p_probes_lost_total", **which) or 0) / expected if expected else None

    @staticmethod
    def measure(watch: Watch, name: str, seen: float | None, wanted: float, within: float) -> None:
        watch.ok = seen is not None and abs(seen - wanted) <= within
        watch.seen = {} if seen is None else {name: round(seen, 4)}
        if not watch.ok:
            watch.why = f"{name} is {seen}, expected {wanted:g} ± {within:g}"

    @staticmethod
    def judge(watch: Watch, verdict: dict[str, str]) -> None:
        wanted = watch.expectation.nat
        wanted = {"nat": wanted} if isinstance(wanted, str) else {"nat": "translated", **wanted}
        watch.ok, watch.seen = wanted.items() <= verdict.items(), verdict
        if not watch.ok:
            watch.why = ", ".join(f"{key} is {verdict.get(key)}, expected {value}" for key, value in wanted.items()
                                  if verdict.get(key) != value)


def run(scenario: Scenario, engine: str) -> dict:
    """The object that docs/scenarios.md describes. Inside the laboratory (enter())."""
    answer = {"scenario": scenario.name, "engine": engine, "skipped": against(scenario, engine), "passed": False,
              "broken_rule": None, "results": []}
    carried = engine != KERNEL or not all(bridged(scenario, segment) for segment in scenario.segments)
    if answer["skipped"] is None and carried and wire.program() is None:
        answer["skipped"] = "links like these need lab_wire, which this build does not have"
    if answer["skipped"] is not None:
        return answer
    with contextlib.ExitStack() as cleanup:
        folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-lab-")))
        made = Run(scenario, engine, folder, cleanup)
        made.run()
        for daemon in made.daemons.values():
            made.problems += daemon.problems_in_log()
        answer["results"] = [watch.result() for watch in made.watches]
        answer["passed"] = all(watch.ok for watch in made.watches) and not made.problems
        if made.problems:
            answer["problems"] = made.problems
        if not answer["passed"]:
            answer["logs"] = {daemon.name: daemon.log()[-4000:] for daemon in made.daemons.values()}
    return answer
