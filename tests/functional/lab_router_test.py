"""What befalls the laboratory's routers, and what their firewalls do, is what was declared, as plain sockets see it."""
import lab
lab.enter("nft", "conntrack", "miniupnpd")

import select
import socket
import struct
import threading
import time
import unittest

from lab import load, mapper, plain, sketch
from lab.internet import Internet
from lab.scenario import MAPPINGS

PORT = 7000
SECOND_ADDRESS = "11.0.1.200"


class Routed(unittest.TestCase):
    def build(self, *routers: dict, **options) -> None:
        self.net = Internet(sketch.behind(list(routers), **options), "kernel")
        self.addCleanup(self.net.close)
        self.sockets = plain.Sockets()
        self.addCleanup(self.sockets.close)
        self.outside = self.public()

    def public(self, address: str = sketch.PUBLIC, port: int = PORT):
        return self.sockets.at(self.net.hosts["public"], address, port)

    def inside(self, n: int = 0, port: int = 0, host: int = 0):
        return self.sockets.at(self.net.hosts[f"{'hg'[host]}{n}"], sketch.inner(n, host), port)


class EarlyProbe(Routed):
    def punch(self, accepts: bool) -> tuple[bool, bool]:
        """Two port-restricted NATs, both ends known to each other; the first end's probes come too early. Whether the
        second's later reach the first, and whether answers come back."""
        nat = {"input_accepts": accepts}
        self.build({"nat": nat}, {"nat": nat})
        a, b = self.inside(0, 5000), self.inside(1, 6000)
        a_outer, b_outer = plain.seen(a, self.outside), plain.seen(b, self.outside)
        self.assertFalse(plain.reaches(a, b_outer, b), "the second has not sent yet")
        return plain.reaches(b, a_outer, a), plain.reaches(a, b_outer, b)

    def test_steals_the_port_from_a_flow_on_a_router_that_accepts_it(self):
        self.assertEqual(self.punch(accepts=True), (False, False))

    def test_does_no_harm_on_a_router_that_drops_it(self):
        self.assertEqual(self.punch(accepts=False), (True, True))

    def test_steals_the_flow_to_that_remote_only(self):
        self.build({"nat": {"input_accepts": True}})
        b, other = self.inside(0, 6000), self.public(sketch.OTHER)
        b_outer = plain.seen(b, other)
        self.assertEqual(b_outer[1], 6000)
        self.assertFalse(plain.reaches(self.outside, b_outer, b))
        self.assertNotEqual(plain.seen(b, self.outside)[1], 6000)
        self.assertEqual(plain.seen(b, other), b_outer)


class Fault(Routed):
    def test_a_reboot_forgets_mappings_and_random_ports_are_others(self):
        self.build({"nat": {"ports": "random", "filtering": MAPPINGS[0]}})
        mine = self.inside()
        before = plain.seen(mine, self.outside)
        self.assertTrue(plain.reaches(self.outside, before, mine))
        self.net.routers["r0"].start()
        self.assertFalse(plain.reaches(self.outside, before, mine))
        after = plain.seen(mine, self.outside)
        self.assertNotEqual(before, after)
        self.assertTrue(plain.reaches(self.outside, after, mine))

    def test_a_reboot_forgets_flows_even_where_ports_are_kept(self):
        self.build({"nat": {}})
        mine = self.inside()
        before = plain.seen(mine, self.outside)
        self.net.routers["r0"].start()
        self.assertFalse(plain.reaches(self.outside, before, mine))
        self.assertEqual(plain.seen(mine, self.outside), before)

    def test_a_reboot_lets_sequential_ports_begin_again(self):
        self.build({"nat": {"ports": "sequential", "first_port": 30000}})
        self.assertEqual([plain.seen(self.inside(), self.outside)[1] for _ in range(3)], [30000, 30001, 30002])
        self.net.routers["r0"].start()
        self.assertEqual(plain.seen(self.inside(), self.outside)[1], 30000)

    def test_a_router_that_is_off_lets_nothing_through(self):
        self.build({"nat": {}})
        mine = self.inside()
        self.assertIsNotNone(plain.seen(mine, self.outside))
        self.net.routers["r0"].power_off()
        self.assertIsNone(plain.seen(mine, self.outside))
        self.net.routers["r0"].start()
        self.assertIsNotNone(plain.seen(mine, self.outside))

    def test_a_changed_address_is_seen_outside_and_the_old_one_is_nobodys(self):
        self.build({"nat": {"filtering": MAPPINGS[0]}})
        mine = self.inside()
        before = plain.seen(mine, self.outside)
        self.net.set_addresses("r0", [SECOND_ADDRESS])
        after = plain.seen(mine, self.outside)
        self.assertEqual(after[0], SECOND_ADDRESS)
        self.assertTrue(plain.reaches(self.outside, after, mine))
        self.assertFalse(plain.reaches(self.outside, before, mine))

    def test_a_flow_that_never_pauses_has_the_new_address_too(self):
        self.build({"nat": {"filtering": MAPPINGS[0]}})
        mine = self.inside()
        before = plain.seen(mine, self.outside)[0]
        changed = threading.Event()

        def talk() -> None:
            while not changed.wait(0.0005):
                plain.send(mine, self.outside.getsockname())

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            for address in (SECOND_ADDRESS, before, SECOND_ADDRESS):
                self.net.set_addresses("r0", [address])
        finally:
            changed.set()
            talking.join()
        plain.receive(self.outside, b"nobody's", 0)  # its buffer is full of them
        self.assertEqual(plain.seen(mine, self.outside)[0], SECOND_ADDRESS)

    def test_a_host_that_moves_is_reached_at_its_new_address_only(self):
        self.build({"nat": {}})
        self.net.set_addresses("public", ["11.0.0.9", sketch.OTHER])
        mine = self.inside()
        self.assertIsNotNone(plain.seen(mine, self.public("11.0.0.9")))
        self.assertIsNone(plain.seen(mine, self.outside, (sketch.PUBLIC, PORT)))

    def test_an_unplugged_host_is_gone_until_it_is_plugged_in(self):
        self.build({"nat": {}})
        mine = self.inside()
        self.net.unplug("h0")
        self.assertIsNone(plain.seen(mine, self.outside))
        self.net.plug_in("h0")
        # Kernels tell themselves of a carrier once a second at the most.
        self.assertTrue(any(plain.seen(mine, self.outside) for _ in range(6)))


class Wall(Routed):
    def tcp_passes(self, n: int) -> bool:
        with self.net.hosts["public"].inside():
            listener = socket.create_server((sketch.PUBLIC, 0))
        with self.net.hosts[f"h{n}"].inside():
            dialling = socket.socket()
        with listener, dialling:
            dialling.settimeout(plain.ARRIVES)
            try:
                dialling.connect(listener.getsockname())
            except TimeoutError:
                return False
            return True

    def test_blocks_what_it_says_and_nothing_else(self):
        walls = [{}, {"udp_blocked": True}, {"tcp_blocked": True}, {"udp_ports": [443, 7001]}]
        self.build(*({"nat": {}, "firewall": wall} for wall in walls))
        allowed, open_ports = self.public(port=7001), [True, False, True, False]
        for n, wall in enumerate(walls):
            with self.subTest(**wall):
                self.assertEqual(plain.seen(self.inside(n), self.outside) is not None, open_ports[n])
                self.assertEqual(plain.seen(self.inside(n), allowed) is not None, n != 1)
                self.assertEqual(self.tcp_passes(n), n != 2)

    def test_stateful_lets_in_answers_only_as_long_as_declared(self):
        self.build({"behind": ["192.168.0.0/24"]},
                   {"behind": ["192.168.1.0/24"], "firewall": {"stateful": True, "timeout": "1s"}})
        stranger = self.public(sketch.OTHER)
        for n, walled in enumerate((False, True)):
            mine = self.inside(n)
            self.assertEqual(plain.reaches(self.outside, mine.getsockname(), mine), not walled)
            self.assertIsNotNone(plain.seen(mine, self.outside))
            self.assertTrue(plain.reaches(self.outside, mine.getsockname(), mine))
            self.assertEqual(plain.reaches(stranger, mine.getsockname(), mine), not walled)
            time.sleep(1.2)
            self.assertEqual(plain.reaches(self.outside, mine.getsockname(), mine), not walled)

    def test_throttles_udp_to_its_rate(self):
        rate, size = 4.0, 1000  # Mbit/s, bytes of a packet
        self.build({"nat": {}, "firewall": {"udp_rate_mbit": rate}})
        mine, payload = self.inside(), bytes(size - 28)
        self.assertIsNotNone(plain.seen(mine, self.outside))

        def arrives(seconds: float) -> float:
            """Mbit/s, of at least twice the rate."""
            began, count = time.monotonic(), 0
            while time.monotonic() - began < seconds:
                for _ in range(4):
                    mine.sendto(payload, (sketch.PUBLIC, PORT))
                while select.select([self.outside], [], [], 0.0005)[0]:
                    self.outside.recv(2048)
                    count += 1
            return count * size * 8 / 1e6 / (time.monotonic() - began)

        arrives(1.0)  # the kernel lets a second's worth through at once
        self.assertAlmostEqual(arrives(1.0), rate, delta=0.05 * rate)


class PortMapping(Routed):
    """NAT-PMP (RFC 6886), PCP (RFC 6887) and UPnP, asked with plain bytes."""
    OUTER, INNER = 7777, 6000

    def ask(self, n: int, question: bytes, patience: int = 1) -> bytes | None:
        asking = self.inside(n)
        asking.settimeout(plain.ARRIVES)
        for _ in range(patience):  # it may be about to start
            asking.sendto(question, (f"192.168.{n}.1", mapper.PORT))
            try:
                return asking.recv(1100)
            except (TimeoutError, ConnectionError):
                time.sleep(0.1)
        return None

    def nat_pmp(self, n: int, patience: int = 20) -> tuple[int, int, int] | None:
        """Result code, outer port, lifetime."""
        answer = self.ask(n, struct.pack("!BBHHHI", 0, 1, 0, self.INNER, self.OUTER, 60), patience)
        return answer and (*struct.unpack_from("!H", answer, 2), *struct.unpack_from("!HI", answer, 10))

    def pcp(self, n: int, port: int) -> tuple[int, int]:
        """Result code, outer port."""
        mapped = socket.inet_pton(socket.AF_INET6, f"::ffff:{sketch.inner(n)}")
        answer = self.ask(n, struct.pack("!BBHI16s12sB3xHH16s", 2, 1, 0, 60, mapped, bytes(12), socket.IPPROTO_UDP, port, port,
                                         socket.inet_pton(socket.AF_INET6, "::ffff:0.0.0.0")), 20)
        return answer[3], struct.unpack_from("!H", answer, 42)[0]

    def test_lets_strangers_in_until_the_router_forgets(self):
        self.build({"nat": {}, "port_mapper": {"nat_pmp": True, "pcp": True}})
        mine, with_pcp, outer = self.inside(0, self.INNER), self.inside(0, self.INNER + 1), (sketch.outer(0), self.OUTER)
        self.assertFalse(plain.reaches(self.outside, outer, mine))
        self.assertEqual(self.nat_pmp(0), (0, self.OUTER, 60))
        self.assertEqual(self.pcp(0, self.INNER + 1), (0, self.INNER + 1))
        for stranger in (self.outside, self.public(sketch.OTHER)):
            self.assertTrue(plain.reaches(stranger, outer, mine))
            self.assertTrue(plain.reaches(stranger, (sketch.outer(0), self.INNER + 1), with_pcp))
        self.net.routers["r0"].start()
        self.assertFalse(plain.reaches(self.outside, outer, mine))
        self.assertEqual(self.nat_pmp(0), (0, self.OUTER, 60), "it may be asked again")

    def test_is_silent_where_none_is_declared(self):
        self.build({"nat": {}}, {"nat": {}, "port_mapper": {"upnp": True}})
        for silent in (0, 1):
            self.assertIsNone(self.nat_pmp(silent, patience=2))

    def test_upnp_describes_itself(self):
        self.build({"nat": {}, "port_mapper": {"upnp": True}})
        deadline = time.monotonic() + 5
        while True:
            with self.net.hosts["h0"].inside():
                asking = socket.socket()
            with asking:
                try:
                    asking.connect(("192.168.0.1", mapper.HTTP_PORT))
                    asking.sendall(b"GET /rootDesc.xml HTTP/1.0\r\n\r\n")
                    said = b"".join(iter(lambda: asking.recv(65536), b""))
                    break
                except ConnectionRefusedError:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
        self.assertIn(b"urn:schemas-upnp-org:service:WANIPConnection", said)


class DualStack(unittest.TestCase):
    SCENARIO = "\n".join([
        'about = "IPv6 is routed beside IPv4 that is translated"', "expect = []",
        sketch.table("segment", name="internet"),
        sketch.table("segment", name="lan"),
        sketch.table("router", name="home", outer={"segment": "internet", "addresses": ["11.0.1.1", "2001:db8::1:1"]},
                     inner={"segment": "lan", "addresses": ["192.168.1.1", "2001:db8:1::1"]}, behind=["2001:db8:1::/48"],
                     nat={}, firewall={"stateful": True}),
        sketch.table("host", name="h", attach={"segment": "lan", "addresses": ["192.168.1.2", "2001:db8:1::2"]}),
        sketch.table("host", name="public", attach={"segment": "internet", "addresses": ["11.0.0.1", "2001:db8::2"]})])

    def test_routes_ipv6_and_lets_in_answers_only_beside_translated_ipv4(self):
        net, sockets = Internet(load.parse(self.SCENARIO), "kernel"), plain.Sockets()
        self.addCleanup(net.close)
        self.addCleanup(sockets.close)
        inside6, outside6 = sockets.at(net.hosts["h"], "2001:db8:1::2"), sockets.at(net.hosts["public"], "2001:db8::2", PORT)
        self.assertFalse(plain.reaches(outside6, inside6.getsockname(), inside6))
        self.assertEqual(plain.seen(inside6, outside6), inside6.getsockname()[:2], "nobody translates it")
        self.assertTrue(plain.reaches(outside6, inside6.getsockname(), inside6))
        inside4, outside4 = sockets.at(net.hosts["h"], "192.168.1.2"), sockets.at(net.hosts["public"], "11.0.0.1", PORT)
        self.assertEqual(plain.seen(inside4, outside4)[0], "11.0.1.1")


class Hairpin(Routed):
    def test_shows_the_source_that_it_says(self):
        kinds = ["none", "external-source", "internal-source"]
        self.build(*({"nat": {"filtering": MAPPINGS[0], "hairpin": kind}} for kind in kinds))
        for n, kind in enumerate(kinds):
            with self.subTest(hairpin=kind):
                one, other = self.inside(n, host=0), self.inside(n, host=1)
                one_outer, other_outer = plain.seen(one, self.outside), plain.seen(other, self.outside)
                self.assertEqual(plain.seen(one, other, other_outer),
                                 {"none": None, "external-source": one_outer, "internal-source": one.getsockname()}[kind])

    def test_filters_as_from_outside(self):
        self.build(*({"nat": {"filtering": filtering}} for filtering in MAPPINGS))
        for n, filtering in enumerate(MAPPINGS):
            with self.subTest(filtering=filtering):
                one, other = self.inside(n, host=0), self.inside(n, host=1)
                one_outer, other_outer = plain.seen(one, self.outside), plain.seen(other, self.outside)
                self.assertEqual(plain.reaches(one, other_outer, other), n == 0)
                self.assertEqual(plain.reaches(other, one_outer, one), True, "the one has sent to the other's address")
                self.assertEqual(plain.reaches(one, other_outer, other), True)


class Carrier(Routed):
    def test_two_homes_behind_one_carrier_meet_at_its_outer_address_by_its_hairpin(self):
        for hairpin, meet in (("external-source", True), ("none", False)):
            with self.subTest(hairpin=hairpin):
                self.build({"nat": {}}, {"nat": {}}, carrier={"nat": {"ports": "random", "hairpin": hairpin}})
                a, b = self.inside(0), self.inside(1)
                a_outer, b_outer = plain.seen(a, self.outside), plain.seen(b, self.outside)
                self.assertEqual({a_outer[0], b_outer[0]}, {"11.0.1.1"})
                plain.send(a, b_outer)
                self.assertEqual(plain.reaches(b, a_outer, a), meet)
                self.assertEqual(plain.reaches(a, b_outer, b), meet)
                self.doCleanups()


if __name__ == "__main__":
    lab.main()
