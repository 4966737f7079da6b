"""Ports, lives and limits of the laboratory's NAT mappings are those declared, as plain UDP sockets see them."""
import lab
lab.enter("nft", "conntrack")

import statistics
import time
import unittest

from lab import plain, sketch
from lab.internet import Internet
from lab.scenario import MAPPINGS

OUTSIDE_PORT = 7000
LIFE = 3.0         # seconds, of mappings whose end is waited for
FIRST, LAST = 20000, 29999


class Mapped(unittest.TestCase):
    """A laboratory of NATs, and sockets on both sides."""
    NATS: list[dict] = []
    POOLS: dict[int, list[str]] = {}

    @classmethod
    def setUpClass(cls):
        routers = [{"nat": nat} | ({"pool": cls.POOLS[n]} if n in cls.POOLS else {}) for n, nat in enumerate(cls.NATS)]
        cls.net = Internet(sketch.behind(routers), "kernel")
        cls.addClassCleanup(cls.net.close)

    def setUp(self):
        self.sockets = plain.Sockets()
        self.addCleanup(self.sockets.close)
        self.outside = self.public()

    def public(self, address: str = sketch.PUBLIC, port: int = OUTSIDE_PORT):
        return self.sockets.at(self.net.hosts["public"], address, port)

    def inside(self, n: int, port: int = 0, host: int = 0):
        return self.sockets.at(self.net.hosts[f"{'hg'[host]}{n}"], sketch.inner(n, host), port)

    def ports(self, n: int, count: int) -> list[int]:
        """Of as many new mappings, in order."""
        return [plain.seen(self.inside(n), self.outside)[1] for _ in range(count)]


class Port(Mapped):
    NATS = [{"ports": "preserving"},
            {"ports": "sequential", "first_port": FIRST, "last_port": LAST},
            {"ports": "sequential", "first_port": FIRST, "last_port": LAST, "step": -3, "mapping": MAPPINGS[2]},
            {"ports": "random", "first_port": FIRST, "last_port": LAST},
            {"ports": "random", "first_port": FIRST, "last_port": LAST, "mapping": MAPPINGS[2]},
            {"ports": "preserving", "mapping": MAPPINGS[2], "first_port": FIRST, "last_port": LAST},
            {"ports": "sequential", "first_port": FIRST, "last_port": FIRST + 3, "timeout": "1s"},
            {"ports": "sequential", "first_port": FIRST, "last_port": LAST, "mapping": MAPPINGS[1]}]

    def test_preserving_keeps_a_port_for_its_first_owner_alone(self):
        mine, others = self.inside(0, 4321), self.inside(0, 4321, host=1)
        self.assertEqual(plain.seen(mine, self.outside), (sketch.outer(0), 4321))
        taken = plain.seen(others, self.public(sketch.OTHER))
        self.assertNotEqual(taken[1], 4321, "towards another remote, too")
        self.assertEqual(plain.seen(others, self.outside), taken)
        self.assertEqual(plain.seen(mine, self.outside), (sketch.outer(0), 4321))

    def test_preserving_with_a_mapping_for_each_remote_keeps_the_port_for_the_first(self):
        mine = self.inside(5, 4321)
        ports = [plain.seen(mine, self.public(port=port))[1] for port in range(7001, 7006)]
        self.assertEqual(ports[0], 4321)
        self.assertEqual(len(set(ports)), 5)
        self.assertTrue(all(FIRST <= port <= LAST for port in ports[1:]), ports)

    def test_sequential_counts_up_from_the_first_port(self):
        self.assertEqual(self.ports(1, 5), [FIRST + n for n in range(5)])
        mine = self.inside(1)
        self.assertEqual({plain.seen(mine, self.public(port=port))[1] for port in (7001, 7002)}, {FIRST + 5})

    def test_sequential_with_a_step_counts_mappings_and_not_sockets(self):
        mine = self.inside(2)
        ports = [plain.seen(mine, self.public(port=port))[1] for port in range(7001, 7005)]
        self.assertEqual(ports, [LAST - 3 * n for n in range(4)])

    def test_sequential_by_address_counts_addresses(self):
        mine = self.inside(7)
        ports = [plain.seen(mine, self.public(address, port))[1] for address in (sketch.PUBLIC, sketch.OTHER)
                 for port in (7001, 7002)]
        self.assertEqual(ports, [FIRST, FIRST, FIRST + 1, FIRST + 1])

    def test_sequential_begins_again_behind_the_last_port(self):
        self.assertEqual(self.ports(6, 4), [FIRST, FIRST + 1, FIRST + 2, FIRST + 3])
        time.sleep(1.1)
        self.assertEqual(self.ports(6, 2), [FIRST, FIRST + 1])

    def test_random_ports_lie_evenly_in_their_range(self):
        count, middle = 200, (FIRST + LAST) / 2
        deviation = (LAST - FIRST) / 12 ** 0.5
        for n in (3, 4):
            with self.subTest(mapping=self.NATS[n].get("mapping")):
                ports = self.ports(n, count)
                self.assertTrue(all(FIRST <= port <= LAST for port in ports))
                # Four standard errors: one run in 16,000 fails by itself.
                self.assertLess(abs(statistics.mean(ports) - middle), 4 * deviation / count ** 0.5)
                self.assertGreater(statistics.stdev(ports), 0.8 * deviation)
                # Expected 2 equal pairs (birthday) and 0.02 neighbours in a row.
                self.assertGreater(len(set(ports)), count - 10)
                self.assertLess(sum(abs(a - b) <= 1 for a, b in zip(ports, ports[1:])), 3)


class Pool(Mapped):
    NATS = [{"ports": ports, "pooling": pooling} for ports in ("preserving", "random") for pooling in ("paired", "arbitrary")]
    POOLS = {n: [f"11.0.2.{10 * n + i}" for i in range(1, 5)] for n in range(4)}

    def test_paired_keeps_a_host_on_one_address_and_arbitrary_does_not(self):
        for n, nat in enumerate(self.NATS):
            with self.subTest(**nat):
                seen = {plain.seen(self.inside(n), self.outside)[0] for _ in range(32)}
                self.assertLessEqual(seen, set(self.POOLS[n]))
                # 32 mappings miss one of four addresses once in 2,500 runs: two are demanded.
                self.assertTrue(len(seen) == 1 if nat["pooling"] == "paired" else len(seen) >= 2, seen)

    def test_a_mapping_has_one_address_of_the_pool(self):
        remotes = [self.public(port=port) for port in range(7001, 7009)]
        for n in range(len(self.NATS)):
            mine = self.inside(n)
            self.assertEqual(len({plain.seen(mine, remote) for remote in remotes}), 1)


class Life(Mapped):
    NATS = [{"timeout": f"{round(LIFE)}s", "filtering": filtering, "ports": "random", "inbound_refreshes": refreshes}
            for filtering in MAPPINGS for refreshes in (False, True)]
    NATS.append({"timeout": f"{round(LIFE)}s", "input_accepts": True})

    def test_a_mapping_lives_as_long_as_declared_and_is_refreshed_by_whom_it_says(self):
        """All at once: each NAT has a mapping that nothing refreshes, one that its owner does, one that inbound does."""
        quiet, owned, asked = ([self.inside(n) for n in range(len(self.NATS))] for _ in range(3))
        began = time.monotonic()
        first = [[plain.seen(mine, self.outside) for mine in kind] for kind in (quiet, owned, asked)]

        other_port = self.public(port=OUTSIDE_PORT + 1)

        def open_ones(kind, where, asking=None):
            return [plain.receive(mine, plain.send(asking or self.outside, to), 0.1) is not None for mine, to in zip(kind, where)]

        def at(share: float) -> None:
            time.sleep(max(0, began + share * LIFE - time.monotonic()))

        every = [True] * len(self.NATS)
        at(0.6)
        for mine in owned:
            plain.send(mine, (sketch.PUBLIC, OUTSIDE_PORT))
        self.assertEqual(open_ones(asked, first[2]), every)
        at(1.3)
        refreshed = [nat.get("inbound_refreshes", False) for nat in self.NATS]
        self.assertEqual(open_ones(owned, first[1]), every)
        self.assertEqual(open_ones(asked, first[2], other_port),
                         [refreshes and nat.get("filtering", MAPPINGS[2]) != MAPPINGS[2]
                          for refreshes, nat in zip(refreshed, self.NATS)])
        self.assertEqual(open_ones(asked, first[2]), refreshed)
        self.assertEqual(open_ones(quiet, first[0]), [False] * len(self.NATS))
        # A flow that is dead gets another port from a random allocator.
        again = [plain.seen(mine, self.outside) for mine in quiet[:-1]]
        self.assertTrue(all(a is not None and a != b for a, b in zip(again, first[0])))


    def test_a_kept_port_is_asked_for_and_not_forced_as_long_as_the_mapping_lives(self):
        accepting, stranger = len(self.NATS) - 1, self.public(sketch.OTHER)
        mine = self.inside(accepting)
        for _ in range(2):
            outer = plain.seen(mine, self.outside)
            self.assertEqual(outer[1], mine.getsockname()[1])
            time.sleep(0.7 * LIFE)
        self.assertFalse(plain.reaches(stranger, outer, mine), "it is tracked as an early probe")
        self.assertNotIn(plain.seen(mine, stranger), (None, outer))


class Room(Mapped):
    NATS = [{"max_mappings": 3}]

    def test_a_full_table_gives_no_mapping_and_keeps_those_it_has(self):
        mine = [self.inside(0) for _ in range(4)]
        seen = [plain.seen(one, self.outside) for one in mine]
        self.assertEqual([s is not None for s in seen], [True, True, True, False])
        self.assertEqual([plain.seen(one, self.outside) for one in mine], seen)


if __name__ == "__main__":
    lab.main()
