"""Delay, loss, rate and size, seen through each kind of the laboratory's links, equal what was declared."""
import lab
lab.enter("nft", "conntrack", "tc")

import collections
import os
import pathlib
import select
import socket
import statistics
import struct
import tempfile
import time
import unittest

from lab import load, plain, sketch, wire
from lab.internet import Internet

HUB, PORT = "11.0.0.1", 7000
HEADERS = 28            # bytes of IPv4 and UDP
STAMP = struct.Struct("!Id")
IP_RECVTTL = 12         # which Python has no name for
SETTLES = 0.3           # seconds after the last datagram until none comes any more
# What the laboratory's own work may add to a delay, at the median; single datagrams wait for a busy machine.
OWN_DELAY = 0.002

Arrival = collections.namedtuple("Arrival", "number delay ttl")


def four_errors(share: float, count: int) -> float:
    """Of a share measured count times: one run in 16,000 lies beyond."""
    return 4 * (share * (1 - share) / count) ** 0.5


class Linked(unittest.TestCase):
    """A hub, and hosts with a link each."""
    SEGMENT: dict = {}
    LINKS: dict[str, dict] = {}
    CARRIED = False

    @classmethod
    def setUpClass(cls):
        if cls.CARRIED:
            wire.needed()
        parts = ['about = "links"', "expect = []", sketch.table("segment", name="core", **cls.SEGMENT),
                 sketch.table("host", name="hub", peers=[], attach={"segment": "core", "addresses": [HUB]})]
        cls.addresses = {name: f"11.0.0.{n + 2}" for n, name in enumerate(cls.LINKS)}
        parts += [sketch.table("host", name=name, peers=[], attach={"segment": "core", "addresses": [cls.addresses[name]], "link": link})
                  for name, link in cls.LINKS.items()]
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        file = pathlib.Path(folder.name, "links.toml")
        file.write_text("\n".join(parts))
        cls.net = Internet(load.load(file), "kernel")
        cls.addClassCleanup(cls.net.close)
        assert bool(cls.net.carried()) == cls.CARRIED
        if cls.CARRIED:
            cls.addClassCleanup(wire.Wire(cls.net).close)

    def setUp(self):
        self.sockets = plain.Sockets()
        self.addCleanup(self.sockets.close)
        self.hub = self.sockets.at(self.net.hosts["hub"], HUB, PORT)

    def at(self, name: str) -> socket.socket:
        return self.sockets.at(self.net.hosts[name], self.addresses[name])

    def stream(self, sender: socket.socket, receiver: socket.socket, count: int, interval: float,
               size: int = 200) -> list[Arrival]:
        """What arrives of `count` IP packets of that size."""
        receiver.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        filling = bytes(size - HEADERS - STAMP.size)
        to, arrived, number, began = receiver.getsockname(), [], 0, time.monotonic()
        end = began + count * interval + SETTLES
        while (now := time.monotonic()) < end:
            while number < count and began + number * interval <= now:
                sender.sendto(STAMP.pack(number, time.monotonic()) + filling, to)
                number += 1
            due = began + number * interval if number < count else end
            if not select.select([receiver], [], [], max(0, min(due, end) - time.monotonic()))[0]:
                continue
            data, ancillary, _, _ = receiver.recvmsg(2048, 64)
            told, sent = STAMP.unpack_from(data)
            ttl = next((struct.unpack("i", d)[0] for level, kind, d in ancillary if kind == socket.IP_TTL), 0)
            arrived.append(Arrival(told, time.monotonic() - sent, ttl))
        return arrived

    def throughput(self, sender: socket.socket, receiver: socket.socket, offered: float, size: int, seconds: float) -> float:
        """Mbit/s of IP packets that arrive while more are offered, once queues are full."""
        payload, began, sent, took = os.urandom(size - HEADERS), time.monotonic(), 0, 0
        while (now := time.monotonic()) - began < seconds + 0.5:
            while sent * size * 8 / 1e6 < offered * (now - began):
                sender.sendto(payload, receiver.getsockname())
                sent += 1
            while select.select([receiver], [], [], 0.0005)[0]:
                receiver.recv(2048)
                took += time.monotonic() - began > 0.5
        return took * size * 8 / 1e6 / seconds

    # ---- claims about every kind
    def loses(self, sender, receiver, share: float, count: int = 2000) -> None:
        arrived = self.stream(sender, receiver, count, 0.0005)
        self.assertAlmostEqual(1 - len(arrived) / count, share, delta=max(four_errors(share, count), 1e-9))

    def carries_at(self, name: str, rate: float) -> None:
        far = self.at(name)
        for ends in ((far, self.hub), (self.hub, far)):
            self.assertAlmostEqual(self.throughput(*ends, 2 * rate, 1200, 1.0), rate, delta=0.04 * rate)

    def is_silent_above(self, name: str, mtu: int) -> None:
        far = self.at(name)
        for ends in ((far, self.hub), (self.hub, far)):
            self.assertEqual(len(self.stream(*ends, 3, 0.01, size=mtu)), 3)
            self.assertEqual(len(self.stream(*ends, 3, 0.01, size=mtu + 1)), 0)


class Bridge(Linked):
    LINKS = {"plain": {}, "lossy": {"loss": 0.2}, "slow": {"rate_mbit": 8}, "narrow": {"mtu": 1200}, "cut": {"up": False}}

    def test_loses_its_share_both_ways(self):
        far = self.at("lossy")
        self.loses(far, self.hub, 0.2)
        self.loses(self.hub, far, 0.2)

    def test_adds_no_delay_and_loses_nothing_by_itself(self):
        arrived = self.stream(self.at("plain"), self.hub, 1000, 0.0005)
        self.assertEqual([a.number for a in arrived], list(range(1000)))
        self.assertLess(statistics.median(a.delay for a in arrived), OWN_DELAY)

    def test_carries_its_rate(self):
        self.carries_at("slow", 8)

    def test_drops_silently_what_is_too_big(self):
        self.is_silent_above("narrow", 1200)

    def test_carries_nothing_when_it_is_down(self):
        self.assertEqual(self.stream(self.at("cut"), self.hub, 3, 0.01), [])
        self.assertEqual(self.stream(self.hub, self.at("cut"), 3, 0.01), [])

    def test_a_changed_pair_is_itself_alone_and_one_way(self):
        far = self.at("plain")
        self.net.set_link("plain", "hub", load.parse_link({"loss": 0.5}), both=False)
        self.addCleanup(self.net.set_link, "plain", "hub", load.parse_link({}), False)
        self.loses(far, self.hub, 0.5)
        self.loses(self.hub, far, 0.0)
        self.loses(self.at("narrow"), self.hub, 0.0)


class LossySegment(Linked):
    SEGMENT = {"link": {"loss": 0.1}}
    LINKS = {"plain": {}}

    def test_loses_its_share_both_ways(self):
        far = self.at("plain")
        self.loses(far, self.hub, 0.1)
        self.loses(self.hub, far, 0.1)


class Carried(Linked):
    """What a kernel's segment that lab_wire carries has of its own: links at plugs, and routers inside. Each condition of a
    link by itself is wire_test.py's."""
    CARRIED = True
    SEGMENT = {"link": {"delay": "10ms"}, "hops": 3}
    LINKS = {"plain": {}, "far": {"delay": "50ms"}, "lossy": {"loss": 0.2}, "slow": {"rate_mbit": 8}, "narrow": {"mtu": 1200}}
    BASE = 0.010

    def test_delays_as_declared_there_and_back(self):
        for name, delay in (("plain", self.BASE), ("far", self.BASE + 0.050)):
            far = self.at(name)
            for ends in ((far, self.hub), (self.hub, far)):
                arrived = self.stream(*ends, 200, 0.002)
                self.assertEqual(len(arrived), 200)
                self.assertGreaterEqual(min(a.delay for a in arrived), delay)
                self.assertLess(statistics.median(a.delay for a in arrived), delay + OWN_DELAY)

    def test_loses_its_share_both_ways(self):
        far = self.at("lossy")
        self.loses(far, self.hub, 0.2)
        self.loses(self.hub, far, 0.2)

    def test_carries_its_rate(self):
        self.carries_at("slow", 8)

    def test_drops_silently_what_is_too_big(self):
        self.is_silent_above("narrow", 1200)

    def test_hops_lower_the_ttl(self):
        self.assertEqual({a.ttl for a in self.stream(self.at("plain"), self.hub, 10, 0.001)}, {64 - 3})


if __name__ == "__main__":
    lab.main()
