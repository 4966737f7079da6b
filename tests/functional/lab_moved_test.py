"""What a live session between two homes goes through when a router forgets or a place in the network changes: it lasts, all that
is asked over it is answered, and it is direct again soon."""
import lab
lab.enter("nft", "conntrack")

import contextlib
import itertools
import threading
import time
import unittest

import scrape
from lab import sketch
from lab.meeting import Meeting
from node import wait_for

EVERY = 0.1         # seconds between two questions
PATIENCE = 20       # seconds for an answer
SILENT = 8          # seconds at most that nothing is answered: until both the path and the server are known to be out of reach
DIRECT_AGAIN = 40   # seconds: attempts that failed meanwhile are repeated with back-off
SUSPECT_PROBES = 8  # that a path may lose before it is dead: the direct one, and the relay's
SECOND_ADDRESS = "11.0.1.200"


class Talk:
    """Pings one after another, for as long as it is open: when each began and ended, and its status."""

    def __init__(self, meeting: Meeting):
        self.meeting, self.over = meeting, threading.Event()
        self.pings: list[tuple[float, float, int]] = []
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        while not self.over.wait(EVERY):
            began = time.monotonic()
            answer = scrape.request(self.meeting.a.socket, "POST", f"/api/v1/peers/{self.meeting.b.id}/ping", {"size": 100}, timeout=PATIENCE)
            self.pings.append((began, time.monotonic(), answer.status))

    def silence(self) -> tuple[float, float]:
        """The longest time without an answer: from and until when."""
        answers = [ended for _, ended, status in self.pings if status == 200]
        return max(itertools.pairwise(answers), key=lambda gap: gap[1] - gap[0])

    def unanswered(self) -> list[int]:
        """Of those that did not begin in that time."""
        since, until = self.silence()
        return [status for began, _, status in self.pings if status != 200 and not since <= began <= until]

    def __enter__(self) -> "Talk":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.thread.join()


class Moved(unittest.TestCase):
    def meet(self, *homes: dict) -> None:
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        self.meeting = Meeting(cleanup, sketch.behind(list(homes)))
        self.meeting.start()
        wait_for("a direct path", lambda: self.meeting.are("direct_v4"), 20)

    def seen(self) -> str | None:
        """From where the second end sees the first, on the path in use."""
        used = [p for p in (self.meeting.b.peer(self.meeting.a) or {}).get("paths", []) if p["in_use"]]
        return used[0]["remote"] if used else None

    def since(self) -> list[str]:
        return [here.peer(there)["connected_since"] for here, there in self.meeting.pair]

    def lost(self) -> list[float]:
        return [here.metrics().sum("p2p_probes_lost_total") for here, _ in self.meeting.pair]

    def outlasts(self, change, address: str) -> None:
        """`address`: where the first end is seen after it."""
        meeting = self.meeting
        since, before, where = self.since(), self.lost(), self.seen()
        with Talk(meeting) as talk:
            time.sleep(1)
            changed = time.monotonic()
            change()
            wait_for("direct from its new place", lambda: meeting.are("direct_v4") and self.seen() != where and
                     self.seen().split(":")[0] == address, DIRECT_AGAIN)
            direct = time.monotonic() - changed
            time.sleep(1)
            settled = self.lost()
            time.sleep(2)
        silent, until = talk.silence()
        print(f"{self.id().split('.')[-1]}: silent for {until - silent:.2f} s, direct again after {direct:.2f} s; "
              f"probes lost {[new - old for old, new in zip(before, settled)]}")
        self.assertLess(until - silent, SILENT)
        self.assertEqual(talk.unanswered(), [])
        for old, new in zip(before, settled):
            self.assertLessEqual(new - old, until - silent + 2 * SUSPECT_PROBES)
        self.assertEqual(self.since(), since)
        self.assertEqual(self.lost(), settled, "once it is direct again nothing is lost")
        for here, there in meeting.pair:
            self.assertEqual(here.events("session_ended", there), [])
            self.assertEqual(here.metrics().sum("p2p_connection_duration_seconds_count"), 0)
        self.assertEqual(meeting.problems(), [])

    def test_a_router_that_forgets_its_mappings_and_gives_others(self):
        self.meet({"nat": {"ports": "random"}}, {"nat": {}})
        self.outlasts(self.meeting.net.routers["r0"].start, sketch.outer(0))

    def test_a_router_that_forgets_opposite_one_that_admits_the_address(self):
        self.meet({"nat": {"ports": "random"}}, {"nat": {"filtering": "address-dependent"}})
        self.outlasts(self.meeting.net.routers["r0"].start, sketch.outer(0))

    def test_a_router_whose_outer_address_is_another(self):
        self.meet({"nat": {}}, {"nat": {}})
        self.outlasts(lambda: self.meeting.net.set_addresses("r0", [SECOND_ADDRESS]), SECOND_ADDRESS)

    def test_a_machine_whose_own_address_is_another(self):
        self.meet({"nat": {"ports": "random"}}, {"nat": {}})
        self.outlasts(lambda: self.meeting.net.set_addresses("h0", ["192.168.0.77"]), sketch.outer(0))


if __name__ == "__main__":
    lab.main()
