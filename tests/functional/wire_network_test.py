"""Networks that lab_wire carries: NATs judged by an outsider, TCP and echoes across them, real routers between carried
segments, and how much it carries."""
import lab
lab.enter()

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from carried import PORT, QUIET, Carried, round_trips
from lab import coturn, plain, wire
from lab.scenario import MAPPINGS
from lab.space import Space, die_with_parent, no_offloads, run

SANITIZED = bool(os.environ.get("PEERWATCH_SANITIZED"))
LATE = 3.0 * (3 if SANITIZED else 1)  # milliseconds: other programs run on the same machine
STUN = ("11.0.0.1", "11.0.0.2")
DISORDER = dict(zip(MAPPINGS, range(len(MAPPINGS))))  # the larger one wins where two NATs meet
PORT_NUMBERS = itertools.count()
UDP_SEGMENT = 103  # not in Python's socket module
LEAST_KPPS = 2 if SANITIZED else 20
NESTED = [((MAPPINGS[m], MAPPINGS[f]), (MAPPINGS[n], MAPPINGS[g]))
          for (m, f), (n, g) in (((2, 2), (0, 0)), ((0, 1), (1, 0)), ((0, 0), (0, 0)))]  # carrier's, home's


def segment(name: str, **link: object) -> str:
    conditions = ", ".join(f'{key} = "{value}"' for key, value in link.items())
    return f'[[segment]]\nname = "{name}"\n' + (f"link = {{{conditions}}}\n" if link else "")


def router(name: str, outer: tuple[str, str], inner: tuple[str, str], nat: tuple[str, str] | None, more: str = "") -> str:
    text = f'[[router]]\nname = "{name}"\n'
    for side, (where, address) in (("outer", outer), ("inner", inner)):
        text += f'{side} = {{segment = "{where}", addresses = ["{address}"]}}\n'
    return text + (f'nat = {{mapping = "{nat[0]}", filtering = "{nat[1]}"{more}}}\n' if nat else "")


def host(name: str, where: str, *addresses: str, more: str = "") -> str:
    listed = ", ".join(f'"{address}"' for address in addresses)
    return f'[[host]]\nname = "{name}"\nattach = {{segment = "{where}", addresses = [{listed}]}}\n{more}'


def file(*parts: str) -> str:
    return 'about = "Networks for lab_wire"\nexpect = []\n' + "".join(parts)


class Nats(unittest.TestCase):
    """Each combination with a host behind it, and some behind a carrier's NAT; all are asked at the same time."""

    @classmethod
    def setUpClass(cls):
        wire.needed()
        cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cleanup.close)
        kinds = list(itertools.product(MAPPINGS, MAPPINGS))
        parts = [segment("internet", delay="5ms"), host("s", "internet", *STUN, more='serves = "stun"\n')]
        cls.expected = {}
        for n, kind in enumerate(kinds):
            ports = ("preserving", "sequential", "random")[n % 3]
            parts += [segment(f"lan{n}"), host(f"h{n}", f"lan{n}", f"192.168.{n}.2"),
                      router(f"r{n}", ("internet", f"11.0.1.{n + 1}"), (f"lan{n}", f"192.168.{n}.1"), kind,
                             f', ports = "{ports}"')]
            cls.expected[f"h{n}"] = (kind, f"192.168.{n}.2")
        for n, (carrier, home) in enumerate(NESTED):
            parts += [segment(f"carrier{n}", delay="1ms"), segment(f"home{n}"), host(f"n{n}", f"home{n}", f"10.0.{n}.2"),
                      router(f"c{n}", ("internet", f"11.0.2.{n + 1}"), (f"carrier{n}", f"100.64.{n}.1"), carrier),
                      router(f"i{n}", (f"carrier{n}", f"100.64.{n}.2"), (f"home{n}", f"10.0.{n}.1"), home)]
            worst = tuple(max(pair, key=DISORDER.get) for pair in zip(carrier, home))
            cls.expected[f"n{n}"] = (worst, f"10.0.{n}.2")
        cls.carried = Carried(cleanup, file(*parts))
        cleanup.callback(coturn.Server(cls.carried.net.hosts["s"], list(STUN)).close)
        cls.asked = {name: coturn.Discovery(cls.carried.net.hosts[name], own, STUN[0])
                     for name, (_, own) in cls.expected.items()}

    def test_coturn_finds_each_combination_and_each_nesting_as_declared(self):
        for name, ((mapping, filtering), _) in self.expected.items():
            with self.subTest(host=name, mapping=mapping, filtering=filtering):
                self.assertEqual(self.asked[name].verdict(),
                                 {"nat": "translated", "mapping": mapping, "filtering": filtering})


class Across(unittest.TestCase):
    """What is not UDP, across a NAT of the wire."""

    @classmethod
    def setUpClass(cls):
        wire.needed()
        cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cleanup.close)
        cls.carried = Carried(cleanup, file(
            segment("internet", delay="10ms"), segment("lan"), host("s", "internet", "11.0.0.1", "2001:db8::1"),
            host("t", "internet", "11.0.0.3", "2001:db8::3"), host("a", "lan", "192.168.1.2"),
            router("r", ("internet", "11.0.1.1"), ("lan", "192.168.1.1"), (MAPPINGS[0], MAPPINGS[2]),
                   ', ports = "random"')))

    def test_tcp_carries_a_megabyte_both_ways_through_a_nat(self):
        content = os.urandom(1 << 20)
        with self.carried.net.hosts["s"].inside():
            listening = socket.create_server(("11.0.0.1", 80))
        with self.carried.net.hosts["a"].inside():
            asking = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with listening, asking:
            asking.settimeout(20)
            listening.settimeout(20)
            asking.connect(("11.0.0.1", 80))
            answering, whence = listening.accept()
            self.assertEqual(whence[0], "11.0.1.1")
            with answering:
                answering.settimeout(20)
                for one, other in ((asking, answering), (answering, asking)):
                    sending = threading.Thread(target=one.sendall, args=(content,))
                    sending.start()
                    got = b""
                    while len(got) < len(content):
                        got += other.recv(1 << 16)
                    sending.join()
                    self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(content).digest())

    def echo(self, host: str, to: str) -> list[float]:
        """Milliseconds of ten pings."""
        v6 = ":" in to
        with self.carried.net.hosts[host].inside():
            asking = socket.socket(*((socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) if v6 else
                                     (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)))
        found = []
        with asking:
            for number in range(10):
                message = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 4711, number) + b"odd"
                padded = message + b"\0"
                total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
                total = (total & 0xFFFF) + (total >> 16)
                if not v6:  # the kernel does it for IPv6
                    message = message[:2] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + message[4:]
                began = time.monotonic()
                asking.sendto(message, (to, 0))
                while time.monotonic() < began + 2:
                    if not select.select([asking], [], [], 0.1)[0]:
                        continue
                    answer = asking.recv(2048)[0 if v6 else 20:]
                    if answer[0] == (129 if v6 else 0) and answer[4:] == message[4:]:
                        found.append((time.monotonic() - began) * 1000)
                        break
        return found

    def test_a_ping_takes_as_long_as_its_links_also_through_a_nat(self):
        for host, to in (("s", "11.0.0.3"), ("s", "2001:db8::3"), ("a", "11.0.0.3")):
            with self.subTest(host=host, to=to):
                found = self.echo(host, to)
                self.assertEqual(len(found), 10)
                self.assertAlmostEqual(statistics.median(found), 20, delta=LATE)


class RealRouter(unittest.TestCase):
    """A router that is a namespace, between two segments that are carried."""

    def setUp(self):
        wire.needed()
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        text = file(segment("north", delay="10ms"), segment("south", delay="20ms"), host("n", "north", "11.0.0.1"),
                    host("s", "south", "11.0.9.1"), router("r", ("north", "11.0.0.254"), ("south", "11.0.9.254"), None),
                    'behind = ["11.0.9.0/24"]\n')
        folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-wire-")))
        self.file = folder / "routed.toml"
        self.file.write_text(text)
        self.spaces = {}
        ports = []
        for name, plugs in {"n": [("north", "11.0.0.1")], "s": [("south", "11.0.9.1")],
                            "r": [("north", "11.0.0.254"), ("south", "11.0.9.254")]}.items():
            space = self.spaces[name] = Space(name)
            cleanup.callback(space.delete)
            for number, (where, address) in enumerate(plugs):
                port = f"w{next(PORT_NUMBERS)}"
                run("ip", "link", "add", port, "type", "veth", "peer", "name", f"eth{number}", "netns", name)
                space.ip(f"link set eth{number} gso_max_segs 1 up", f"addr add {address}/24 dev eth{number}")
                with space.inside():
                    no_offloads(f"eth{number}")
                ports.append(f"--port={name}:{where}={port}")
        self.spaces["n"].ip("route add default via 11.0.0.254")
        self.spaces["s"].ip("route add default via 11.0.9.254")
        self.spaces["r"].sysctl(ipv4__ip_forward=1)
        self.ports = ports

    def start(self, *ports: str) -> subprocess.Popen:
        made = subprocess.Popen([wire.program(), f"--scenario={self.file}", *ports], stdin=subprocess.PIPE, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent)
        self.addCleanup(made.communicate)
        return made

    def test_packets_cross_a_real_router_and_the_segments_on_both_of_its_sides(self):
        carrying = self.start(*self.ports)
        self.assertEqual(carrying.stdout.readline(), "ready\n")
        with self.spaces["n"].udp("11.0.0.1") as asking, self.spaces["s"].udp("11.0.9.1", PORT) as answering:
            asking.setsockopt(socket.SOL_SOCKET, 35, 1)
            found = round_trips(asking, answering, ("11.0.9.1", PORT), 15)
        self.assertAlmostEqual(statistics.median(found), 60, delta=LATE)

    def test_a_segment_without_one_of_its_devices_is_refused_by_name(self):
        for ports, words in (([self.ports[0], self.ports[3]], "r is plugged into it"), (["--port=n:south=lo"], "n is not plugged"),
                             (["--port=n:north=nothing", *self.ports[1:]], "no interface nothing"),
                             (["--port=n=lo"], "HOST:SEGMENT=INTERFACE")):
            with self.subTest(ports=ports):
                done = subprocess.run([wire.program(), f"--scenario={self.file}", *ports], capture_output=True, text=True,
                                      stdin=subprocess.DEVNULL, timeout=20, check=False)
                self.assertIn(words, done.stderr)
                self.assertNotEqual(done.returncode, 0)


class Load(unittest.TestCase):
    def counted_when_quiet(self) -> dict:
        """Once nothing waits in its ring any more: on a busy machine it works for seconds at what is there."""
        before = None
        while True:
            counted = self.carried.counted()
            now = counted["ports"]["a:internet"]["received"], counted["ports"]["b:internet"]["sent"]
            if now == before:
                return counted
            before = now
            time.sleep(QUIET)

    def setUp(self):
        wire.needed()
        cleanup = contextlib.ExitStack()
        self.addCleanup(cleanup.close)
        self.carried = Carried(cleanup, file(segment("internet", delay="10ms"), host("a", "internet", "11.0.0.1"),
                                             host("b", "internet", "11.0.0.2")))

    def test_tens_of_thousands_of_packets_a_second_are_carried_and_every_other_one_is_accounted_for(self):
        """The sender takes what it can get of the processors, too."""
        size, pieces = 200, 60
        segmented = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", size))]
        hosts = self.carried.net.hosts
        with hosts["b"].udp("11.0.0.2", PORT) as receiver, hosts["a"].udp("11.0.0.1") as sender:
            # Until its neighbour has answered, a kernel throws away what it can't keep, and counts it nowhere.
            self.assertTrue(any(plain.seen(sender, receiver) for _ in range(5)))
            sent = self.counted_when_quiet()["ports"]["a:internet"]["packets"]
            began = time.monotonic()
            while time.monotonic() < began + 2:
                sender.sendmsg([bytes(size * pieces)], segmented, 0, ("11.0.0.2", PORT))
                sent += pieces
            took = time.monotonic() - began
            counted = self.counted_when_quiet()
        a, b = counted["ports"]["a:internet"], counted["ports"]["b:internet"]
        carried = b["sent"] / took / 1000
        print(f"carried {carried:.0f} thousand packets a second, {sent / took / 1000:.0f} were sent; latest "
              f"{b['latest_ms']:.1f} ms, on average {b['mean_lateness_ms']:.2f} ms after they were due", file=sys.stderr)
        self.assertGreater(carried, LEAST_KPPS)
        others = a["neighbour"] + sum(a["unusable"].values())
        port = self.carried.net.cables["a", "internet"].port
        backlog = json.loads(run("ip", "-s", "-j", "link", "show", port))[0]["stats64"]["rx"]["dropped"]  # of the cable itself
        self.assertLessEqual(abs(a["received"] - others + a["ring_dropped"] + backlog - sent), 10)
        self.assertEqual(a["received"] - others - a["overfull"], a["packets"])
        # A few frames were about neighbours.
        self.assertLessEqual(abs(a["packets"] - b["sent"] - b["not_sent"]), 10)


class Unprivileged(unittest.TestCase):
    def test_an_ordinary_users_namespaces_are_enough(self):
        wire.needed()
        if int(pathlib.Path("/proc/self/uid_map").read_text().split()[2]) < 2:
            return  # this is one already: everything else here shows it
        here = pathlib.Path(__file__)
        for test in (str(here.with_name("wire_test.py")) + " Links.test_round_trip_is_the_sum_of_the_delays_there_and_back",
                     f"{here} Across"):
            done = subprocess.run(["unshare", "--user", "--map-root-user", "--", sys.executable, "-B", *test.split()],
                                  capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stderr, r"OK\s*\Z", "nothing was skipped")


if __name__ == "__main__":
    lab.main()
