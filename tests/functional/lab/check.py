"""Whether the parts of a scenario fit together. The simulator's loader (tests/sim/scenario) demands the same."""
import collections
import dataclasses

from .scenario import Action, Expectation, Host, Router, Scenario
from .tables import Bad

ABOUT_DAEMONS = ("kill", "start", "stop", "freeze")


def check(scenario: Scenario) -> None:
    """Also completes what follows from several parts: an action's whole link."""
    _Check(scenario).all()


class _Check:
    def __init__(self, scenario: Scenario):
        self.s = scenario
        self.devices: dict[str, Router | Host] = {**scenario.routers, **scenario.hosts}

    def bad(self, where: str, what: str) -> None:
        raise Bad(f"{self.s.file.name}: {where}: {what}")

    def known(self, name: str, among: dict, where: str) -> None:
        if name not in among:
            self.bad(where, f"unknown name {name!r}")

    def daemon(self, name: str, where: str) -> None:
        self.known(name, self.s.hosts, where)
        if self.s.hosts[name].peers is None:
            self.bad(where, f"{name} runs no daemon")

    def all(self) -> None:
        for name, plug in self.s.plugs():
            self.known(plug.segment, self.s.segments, name)
        self.addresses()
        self.routers()
        for host in self.s.hosts.values():
            for peer in host.peers or []:
                self.daemon(peer, f"peers of {host.name}")
        for action in self.s.actions:
            self.action(action, f"do {action.what}")
        self.running()
        for expectation in self.s.expectations:
            self.expectation(expectation, f"expect {expectation.what}")

    def addresses(self) -> None:
        owners: dict[tuple[str, str], str] = {}  # private addresses may be used again elsewhere
        for name, plug in self.s.plugs():
            for address in plug.addresses:
                if (plug.segment, address) in owners:
                    self.bad(name, f"{address} is both {owners[plug.segment, address]}'s and {name}'s")
                owners[plug.segment, address] = name

    def routers(self) -> None:
        fronts: dict[str, Router] = {}
        for router in self.s.routers.values():
            if router.outer.segment == router.inner.segment:
                self.bad(router.name, "outer and inner are one segment")
            if router.inner.segment in fronts:
                self.bad(router.name, f"segment {router.inner.segment} has another router in front of it already")
            fronts[router.inner.segment] = router
            if router.nat and not router.outer.of_family(4):
                self.bad(router.name, "a NAT needs an IPv4 address outside")
        for router in self.s.routers.values():
            up, steps = router, 0
            while up := fronts.get(up.outer.segment):
                if (steps := steps + 1) > len(fronts):
                    self.bad(router.name, "the way out of it leads in a circle")

    def action(self, action: Action, where: str) -> None:
        match action.what:
            case what if what in ABOUT_DAEMONS:
                self.daemon(action.target, where)
            case "reboot":
                self.known(action.target, self.s.routers, where)
            case "addresses":
                self.known(action.target, self.devices, where)
            case "link":
                self.link(action, where)
            case _:
                self.known(action.target, self.s.hosts, where)

    def link(self, action: Action, where: str) -> None:
        segments = collections.defaultdict(set)
        for name, plug in self.s.plugs():
            segments[name].add(plug.segment)
        for end in (action.target, action.to):
            self.known(end, self.devices, where)
        if action.target == action.to:
            self.bad(where, "from and to are the same")
        shared = segments[action.target] & segments[action.to]
        if len(shared) != 1:
            self.bad(where, f"{action.target} and {action.to} have no one segment in common")
        action.link = dataclasses.replace(self.s.segments[shared.pop()].link, **action.set)

    def running(self) -> None:
        """Nobody starts what runs, or ends what does not."""
        runs = {host.name: host.start for host in self.s.hosts.values()}
        for action in self.s.actions:
            if action.what in ABOUT_DAEMONS:
                if runs[action.target] == (action.what == "start"):
                    state = "runs already" if runs[action.target] else "does not run"
                    self.bad(f"do {action.what}", f"the daemon of {action.target} {state} then")
                runs[action.target] = action.what in ("start", "freeze")

    def expectation(self, expectation: Expectation, where: str) -> None:
        if expectation.what != "nat":
            for name in expectation.pair:
                self.daemon(name, where)
            if expectation.after is not None and expectation.after > expectation.at:
                self.bad(where, "after is later than by")
            return
        for name in expectation.pair:
            self.known(name, self.s.hosts, where)
        if self.s.hosts[expectation.pair[1]].serves != "stun":
            self.bad(where, f"{expectation.pair[1]} serves no STUN")
