#!/usr/bin/env python3
"""Lets one pair of lab/pairs.py meet, by its number: run_pair.py N. Prints what was seen as a JSON object."""
import lab
lab.enter("nft", "conntrack", "miniupnpd", "openssl")

import contextlib
import datetime
import json
import sys
import time

from lab import pairs, sketch
from lab.counts import Counts
from lab.meeting import Meeting
from node import Node

PINGS, SIZE = 50, 1000
POLL = 0.1  # seconds
PICTURE = 1.2  # seconds: what a scrape is answered from is one old, at most
MEASURED_WITHIN = 15  # seconds more
FAMILIES = ("nat_attempts_total", "nat_results_total", "nat_traversal_by_type_total", "p2p_peers_by_path")
SERVERS = (sketch.PUBLIC, sketch.OTHER)
DISCOVERY = "239.255.255.250"  # of UPnP


def seconds(told: str) -> float:
    return datetime.datetime.fromisoformat(told).timestamp()


class Pair:
    def __init__(self, row: pairs.Row, cleanup: contextlib.ExitStack):
        self.row, self.meeting = row, Meeting(cleanup, row.scenario(), row.hosts, any(row.by_websocket))
        self.net = self.meeting.net
        self.counts = [Counts(self.net.hosts[name]) for name in row.hosts]

    def until(self, condition, within: float) -> bool:
        end = time.time() + within
        while not (done := self.holds(condition)) and time.time() < end:
            time.sleep(POLL)
        return done

    @staticmethod
    def holds(condition) -> bool:
        try:
            return condition()
        except OSError:
            return False  # it is about to start

    # ---- what is waited for
    def stands(self) -> bool:
        """It has come to what is expected, and nothing is under way any more."""
        if self.meeting.paths() != self.row.paths:
            return False
        if self.row.outcome in pairs.WITHOUT_METHOD:
            return True
        ended = [here.events("traversal_ended", there) for here, there in self.meeting.pair]
        said = [self.row.outcome in (e[-1]["method"], e[-1]["failure"]) for e in ended if e]
        # Where ports are looked for, one end may be found by what the other does, and calls it punched.
        return any(said) if self.row.outcome in pairs.LOOKED_FOR else len(said) == 2 and all(said)

    def measured(self) -> bool:
        return all(family["state"] == "measured" and family["behaviour"] for here, _ in self.meeting.pair
                   for family in here.get("/api/v1/nat").json()["families"] if family["family"] == "ipv4")

    # ---- what is seen
    def first(self, here: Node, there: Node, kind: str, **wanted: str) -> float | None:
        found = [e for e in here.events(kind, there) if wanted.items() <= e.items()]
        return round(seconds(found[0]["time"]) - self.began, 3) if found else None

    def elsewhere(self, way: str) -> list[dict[str, int]]:
        """Packets of each end to or from others than the server and its own router."""
        found = []
        for host, counts in zip(self.row.hosts, self.counts):
            gateway = self.net.scenario.gateway(self.net.scenario.hosts[host].attach[0].segment, 4)
            aside = (*SERVERS, gateway, DISCOVERY)
            found.append({other: n for (_, other), n in counts.packets(way).items() if other not in aside})
        return found

    def by_server(self) -> list[dict[str, int]]:
        """Packets of each end from the server, by protocol."""
        received = [counts.packets("received").items() for counts in self.counts]
        return [{way: sum(n for (protocol, whence), n in packets if protocol == way and whence in SERVERS) for way in ("tcp", "udp")}
                for packets in received]

    def talk(self) -> dict:
        before, by_server = self.elsewhere("received"), self.by_server()
        answered = sum(self.meeting.a.post(f"/api/v1/peers/{self.meeting.b.id}/ping", {"size": SIZE}).status == 200
                       for _ in range(PINGS))
        after = self.elsewhere("received")
        return {"pings": PINGS, "answered": answered,
                "direct": [{whence: n - old.get(whence, 0) for whence, n in new.items() if n > old.get(whence, 0)}
                           for old, new in zip(before, after)],
                "by_server": [{way: n - old[way] for way, n in new.items()} for old, new in zip(by_server, self.by_server())]}

    def counted(self, here: Node, there: Node) -> tuple:
        """What was told, and metrics of the same: a scrape's picture may be a second old."""
        told = lambda: [here.events(kind, there) for kind in ("traversal_started", "traversal_ended")]
        for _ in range(5):
            before = told()
            time.sleep(PICTURE)
            metrics = here.metrics()
            if told() == before:
                break
        return *before, metrics

    def told(self, here: Node, there: Node) -> dict:
        attempts, ended, metrics = self.counted(here, there)
        nat = here.get("/api/v1/nat").json()
        peer = here.peer(there) or {"path": None, "paths": []}
        return {"connected_s": self.first(here, there, "session_established"),
                "direct_s": self.first(here, there, "path_changed", to="direct_v4"),
                "path": peer["path"], "remote": next((path["remote"] for path in peer["paths"] if path["in_use"]), None),
                "attempts": attempts, "ended": ended,
                "behaviour": next(f["behaviour"] for f in nat["families"] if f["family"] == "ipv4"),
                "port_mapping": nat["port_mapping"],
                "metrics": {name: [(labels, value) for n, labels, value in metrics.series if n == name and value]
                            for name in FAMILIES}}

    def run(self) -> dict:
        meeting = self.meeting
        meeting.server.start()
        for here, _ in meeting.pair:
            here.start(wait=False)
        self.began = time.time()
        stands = self.until(self.stands, self.row.within)
        sent = self.elsewhere("sent")
        seen = {"stands": stands, "after_s": round(time.time() - self.began, 3), "sent": [sum(s.values()) for s in sent],
                "measured": self.until(self.measured, MEASURED_WITHIN)}
        seen["talk"] = self.talk()
        seen["told"] = [self.told(*ends) for ends in meeting.pair]
        return seen | {"problems": meeting.problems()}


def main() -> int:
    with contextlib.ExitStack() as cleanup:
        print(json.dumps(Pair(pairs.ROWS[int(sys.argv[1])], cleanup).run()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
