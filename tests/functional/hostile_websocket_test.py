"""Whoever comes to a relay's WebSocket with anything but a client's packets is refused, counted, and costs nobody else anything."""
import lab
lab.enter("openssl")

import base64
import os
import socket
import ssl
import struct
import time

import certificate
import harness
from node import wait_for

PORT = 443
BINARY, TEXT, PING, CONTINUATION = 2, 1, 9, 0
MOST_OF_SOURCE = 64


def frame(opcode: int, payload: bytes, fin: bool = True, masked: bool = True, reserved: int = 0, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    mask = 0x80 if masked else 0
    head += bytes([mask | size]) if size < 126 else bytes([mask | 126]) + struct.pack(">H", size) if size < 65536 else \
        bytes([mask | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


def request(path: str = "/relay", upgrade: bool = True) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: relay"]
    if upgrade:
        key = base64.b64encode(os.urandom(16)).decode()
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class HostileWebSocket(harness.MeshTest):
    def setUp(self):
        super().setUp()
        pem, key = certificate.make(self.folder)
        self.relay, self.a, self.b = self.node("relay"), self.node("a"), self.node("b")
        self.relay.config["node"]["roles"] = ["bootstrap", "relay"]
        self.relay.config["peer"] = [{"id": n.id, "name": n.name} for n in (self.a, self.b)]
        self.relay.config["relay_server"] = {"websocket_listen": f"{self.relay.host.address}:{PORT}", "tls_certificate": str(pem),
                                             "tls_key": str(key)}
        self.relay.start()

    def honest_clients_meet(self) -> None:
        """Without an address of the relay's: its WebSocket is all that they have."""
        for here, there in ((self.a, self.b), (self.b, self.a)):
            block = {"id": self.relay.id, "name": "relay", "websocket": f"wss://{self.relay.host.address}/relay"}
            here.config |= {"peer": [{"id": there.id, "name": there.name}], "bootstrap": [block], "relay": [block]}
            here.start()
        self.connected(self.a, self.b)

    def refused(self, reason: str) -> float:
        return self.relay.metrics().value("p2p_relay_pipes_refused_total", reason=reason)

    def rejected(self, reason: str) -> float:
        return self.relay.metrics().value("peerwatch_packets_rejected_total", reason=reason)

    def counted(self, reason: str, before: float, least: float = 1) -> None:
        wait_for(f"{reason} is counted", lambda: self.refused(reason) >= before + least, 15)

    def tcp(self) -> socket.socket:
        return socket.create_connection((self.relay.host.address, PORT), timeout=20)

    def tls(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(self.tcp(), server_hostname="relay")

    def opened(self) -> ssl.SSLSocket:
        client = self.tls()
        client.sendall(request())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        self.assertTrue(head.startswith(b"HTTP/1.1 101 "), head)
        return client

    def answer(self, client: ssl.SSLSocket) -> bytes:
        """Until it is closed."""
        out = b""
        try:
            while data := client.recv(65536):
                out += data
        except OSError:
            pass
        client.close()
        return out

    def ends_with(self, reason: str, code: int, *frames: bytes) -> None:
        before = self.refused(reason)
        client = self.opened()
        client.sendall(b"".join(frames))
        told = self.answer(client)
        self.assertEqual(told[:1], b"\x88", reason)  # a close frame
        self.assertEqual(struct.unpack(">H", told[2:4])[0], code, reason)
        self.counted(reason, before)

    def test_no_tls_no_http_no_upgrade(self):
        before = self.refused("tls")
        for garbage in (b"GET /relay HTTP/1.1\r\n\r\n", bytes(1000), os.urandom(5000)):
            with self.tcp() as client:
                client.sendall(garbage)
                try:
                    client.recv(4096)
                except OSError:
                    pass
        self.counted("tls", before, 3)
        before = self.refused("not_websocket")
        for garbage in (b"\x00" * 100 + b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"GET /relay HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"):
            client = self.tls()
            client.sendall(garbage)
            self.answer(client)
        self.counted("not_websocket", before, 3)
        for path, upgrade, status, reason in (("/", True, b"404", "wrong_path"), ("/relay/", True, b"404", "wrong_path"),
                                              ("/relay", False, b"426", "not_websocket")):
            before = self.refused(reason)
            client = self.tls()
            client.sendall(request(path, upgrade))
            self.assertTrue(self.answer(client).startswith(b"HTTP/1.1 " + status), path)
            self.counted(reason, before)
        self.honest_clients_meet()

    def test_frames_that_are_no_packets(self):
        self.ends_with("text", 1003, frame(TEXT, b"hello"))
        self.ends_with("too_large", 1009, frame(BINARY, bytes(1233)))
        self.ends_with("too_large", 1009, frame(BINARY, b"", length=1 << 40))
        self.ends_with("too_large", 1009, frame(BINARY, bytes(1000), fin=False), frame(CONTINUATION, bytes(1000)))
        self.ends_with("protocol", 1002, frame(BINARY, bytes(100), masked=False))
        self.ends_with("protocol", 1002, frame(BINARY, bytes(100), reserved=4))
        self.ends_with("protocol", 1002, frame(CONTINUATION, bytes(100)))
        # What is a message is a datagram, whatever it was cut into, and refused as one.
        rejected = self.relay.metrics().sum("peerwatch_packets_rejected_total")
        client = self.opened()
        client.sendall(frame(BINARY, bytes(600), fin=False) + frame(PING, b"x") + frame(CONTINUATION, bytes(600)))
        for _ in range(1000):
            client.sendall(frame(BINARY, os.urandom(1200)))
        wait_for("all are refused as datagrams are", lambda: self.relay.metrics().sum("peerwatch_packets_rejected_total")
                 >= rejected + 1001, 10)
        client.close()
        self.honest_clients_meet()

    def test_who_is_no_client_loses_its_pipe_however_much_it_sends(self):
        """And nobody answers what only sockets answer: who asks by a pipe would learn of the relay's TCP port as of a UDP port."""
        before, stun = self.refused("unused"), self.rejected("stun")
        client = self.opened()
        client.settimeout(1)
        began, told = time.monotonic(), b""
        while not told and time.monotonic() - began < 30:
            client.sendall(frame(BINARY, struct.pack(">HHI12s", 1, 0, 0x2112A442, os.urandom(12))))
            try:
                told = client.recv(4096)
            except TimeoutError:
                pass
        self.assertEqual(told[:1], b"\x88")  # a close frame, and no answer before
        self.assertGreater(time.monotonic() - began, 14)
        self.assertLess(time.monotonic() - began, 18)
        client.close()
        self.counted("unused", before)
        wait_for("all are refused", lambda: self.rejected("stun") >= stun + 14, 5)
        self.honest_clients_meet()
        time.sleep(20)
        self.assertEqual(self.refused("unused"), before + 1)  # those who are served stay

    def test_slow_ones_and_many(self):
        slow = [self.tls() for _ in range(3)]
        for client in slow:
            client.sendall(b"GET /relay HTTP/1.1\r\n")
        silent = self.tcp()
        began, before = time.monotonic(), self.refused("timeout")
        limit = self.refused("source_limit") + self.refused("rate_limited")
        many = []
        for _ in range(2000):
            try:
                many.append(self.tcp())
            except OSError:
                break
        wait_for("most of them are turned away", lambda: self.refused("source_limit") + self.refused("rate_limited")
                 >= limit + len(many) - MOST_OF_SOURCE, 20)
        self.assertGreater(len(many), 1000)
        self.assertEqual(self.relay.get("/-/healthy").status, 200)
        while time.monotonic() - began < 9:
            for client in slow:
                try:
                    client.sendall(b"X")
                except OSError:
                    pass
            time.sleep(1)
        self.counted("timeout", before, 4)
        self.assertLess(time.monotonic() - began, 25)
        for client in (*slow, silent, *many):
            client.close()
        self.assertLess(self.relay.rss(), 256 << 20)
        self.honest_clients_meet()


if __name__ == "__main__":
    harness.main()
