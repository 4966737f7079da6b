"""Any bytes on the UDP port: counted by reason, never a crash, never a growing table, and sessions live on."""
import lab
lab.enter()

import random
import socket
import time

import harness
from node import PORT, SANITIZED, wait_for
from wire import PAYLOAD, Wire

RANDOM_DATAGRAMS = 20_000 if SANITIZED else 100_000
ALTERED_DATAGRAMS = 2_000 if SANITIZED else 10_000
BATCH = 50          # datagrams between two looks at the clock
RATE = 10_000       # a second: fast, and still read by a daemon that shares two cores with everything else
GROWTH = 4 << 20    # bytes of memory: the bounded tables filling up; 80,000 remembered datagrams would be more


class HostileDatagrams(harness.MeshTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.mesh("a", "b")
        self.seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {self.seed}")
        self.random = random.Random(self.seed)
        self.sessions = len(self.a.events("session_established"))

    def pour(self, datagrams) -> int:
        sent, started = 0, time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
            for datagram in datagrams:
                outside.sendto(datagram, (self.a.host.address, PORT))
                sent += 1
                if sent % BATCH == 0:
                    time.sleep(max(0.0, started + sent / RATE - time.monotonic()))
        return sent

    def noise(self, count):
        """Half of it is pure noise; the other half begins like one of the protocols that share the port (RFC 9443)."""
        for _ in range(count):
            datagram = bytearray(self.random.randbytes(self.random.choice((0, 1, 7, 20, 40, 100, 600, 1200, 1400))))
            kind = self.random.randrange(6)
            if kind == 0 and len(datagram) >= 20:    # STUN (RFC 8489): the magic cookie
                datagram[0] &= 0x3F
                datagram[4:8] = b"\x21\x12\xA4\x42"
            elif kind == 1 and len(datagram) >= 7:   # a QUIC Initial of version 1
                datagram[0] = 0xC0 | self.random.randrange(16)
                datagram[1:6] = b"\0\0\0\1\x08"
            elif kind == 2 and datagram:             # a QUIC short header
                datagram[0] = 0x40 | self.random.randrange(64)
            yield bytes(datagram)

    def rejected(self) -> float:
        return self.a.metrics().sum("peerwatch_packets_rejected_total")

    def undisturbed(self):
        self.assertTrue(self.a.alive)
        self.assertEqual(self.a.state_of(self.b), "connected")
        self.assertEqual(self.a.events("session_ended"), [])
        self.assertEqual(len(self.a.events("session_established")), self.sessions, "one session through all of it")
        self.assertEqual(self.a.post(f"/api/v1/peers/{self.b.id}/ping").status, 200)

    def test_random_datagrams_are_counted_one_by_one(self):
        warm_up = RANDOM_DATAGRAMS // 5
        before, dropped_before = self.rejected(), self.a.kernel_drops()
        sent = self.pour(self.noise(warm_up))
        memory = self.a.rss()
        sent += self.pour(self.noise(RANDOM_DATAGRAMS - warm_up))

        def all_counted():
            dropped = self.a.kernel_drops() - dropped_before
            return self.rejected() - before == sent - dropped
        try:
            wait_for("every datagram is counted or was dropped by the kernel", all_counted, 5)
        except AssertionError:
            dropped = self.a.kernel_drops() - dropped_before
            by_reason = [(l["reason"], v) for n, l, v in self.a.metrics().series if n == "peerwatch_packets_rejected_total"]
            self.fail(f"sent {sent}, kernel dropped {dropped}, rejected {self.rejected() - before}: {by_reason}")
        metrics = self.a.metrics()
        for reason in ("unknown_protocol", "stun", "malformed", "unknown_connection", "initial_too_small"):
            self.assertGreater(metrics.value("peerwatch_packets_rejected_total", reason=reason), 0, reason)
        print(f"memory {memory >> 10} KiB, then {self.a.rss() >> 10} KiB")
        if not SANITIZED:
            self.assertLess(self.a.rss() - memory, GROWTH)
        self.assertLessEqual(self.a.status()["connections"]["held"], 2, "no connection was made for any of it")
        self.undisturbed()

    def test_altered_real_packets(self):
        """Frames of the living session, with a few bits turned, from the address they came from."""
        wire = Wire(self.a.host.port)
        self.addCleanup(wire.close)
        frames = wire.capture(20, 20)
        self.assertEqual(len(frames), 20)
        memory = self.a.rss()
        for number in range(ALTERED_DATAGRAMS):
            frame = bytearray(self.random.choice(frames))
            for _ in range(self.random.randint(1, 4)):
                bit = self.random.randrange(PAYLOAD * 8, len(frame) * 8)
                frame[bit // 8] ^= 1 << bit % 8
            if self.random.random() < 0.1:  # also cut short; IP and UDP lengths follow
                frame = self.cut(frame)
            wire.inject(bytes(frame))
            if number % BATCH == 0:
                time.sleep(BATCH / RATE)
        time.sleep(1)
        self.undisturbed()
        if not SANITIZED:
            self.assertLess(self.a.rss() - memory, GROWTH)

    def cut(self, frame: bytearray) -> bytearray:
        ip, udp = PAYLOAD - 28, PAYLOAD - 8
        length = self.random.randint(PAYLOAD + 1, len(frame))
        cut = frame[:length]
        cut[ip + 2:ip + 4] = (length - ip).to_bytes(2, "big")
        cut[udp + 4:udp + 6] = (length - udp).to_bytes(2, "big")
        cut[ip + 10:ip + 12] = b"\0\0"
        total = sum(int.from_bytes(cut[i:i + 2], "big") for i in range(ip, udp, 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        cut[ip + 10:ip + 12] = (~total & 0xFFFF).to_bytes(2, "big")
        return cut

    def test_replayed_real_packets(self):
        wire = Wire(self.a.host.port)
        self.addCleanup(wire.close)
        frames = wire.capture(20, 20)
        for _ in range(50):
            for frame in frames:
                wire.inject(frame)
        time.sleep(1)
        self.undisturbed()
        peer = self.a.peer(self.b)
        self.assertEqual(peer["loss"]["return"]["lost"], 0, "a replay is no loss")


if __name__ == "__main__":
    harness.main()
