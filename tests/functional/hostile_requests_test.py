"""Slow, endless, oversized and malformed requests cost the client its connection, and us nothing else."""
import lab
lab.enter()

import random
import socket
import time

import harness
from node import PORT, wait_for

HEAD = b"Host: 10.77.0.1\r\n"


def bad_requests() -> list[bytes]:
    get = b"GET /api/v1/status HTTP/1.1\r\n"
    post = b"POST /api/v1/peers/x/ping HTTP/1.1\r\n" + HEAD
    fixed = [
        b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"get / http/1.1\r\n\r\n",
        get + b"\r\n",                                             # no Host
        get + b"Host: evil.example\r\n\r\n",                       # DNS rebinding
        get + HEAD + HEAD + b"\r\n",                               # two of them
        get + HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n",        # a field without an end in sight
        get + HEAD + b"".join(b"X%d: y\r\n" % i for i in range(20_000)) + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /api/v1/nothing HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /%00 HTTP/1.1\r\n" + HEAD + b"\r\n", b"GET /%zz HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /api/v1/peers/%ff%fe HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /api/v1/events?since=yesterday HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /api/v1/events?type=nonsense HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"DELETE /metrics HTTP/1.1\r\n" + HEAD + b"\r\n", b"POST /metrics HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT example.com:443 HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",   # TLS on a plain port
        post + b"Content-Length: 99999999999\r\n\r\n", post + b"Content-Length: -1\r\n\r\n",
        post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        post + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n",
        post + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",      # control over TCP without a token
        post + b"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
        post + b"Content-Type: application/json\r\nContent-Length: 20000\r\n\r\n" + b"[" * 20000,
        post + b"Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: " + b"," * 5000 + b"\r\n\r\n",
        get + b" Host: 10.77.0.1\r\n\r\n", get + b"Host : 10.77.0.1\r\n\r\n",
    ]
    return fixed


class HostileRequests(harness.MeshTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.mesh("a", "b")
        self.random = random.Random(9470)  # the same hundred every time

    def send(self, data: bytes) -> bytes:
        with socket.create_connection((self.a.host.address, PORT), timeout=10) as client:
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it was all sent: that is an answer too
            answer = b""
            try:
                while chunk := client.recv(65536):
                    answer += chunk
            except ConnectionError:
                pass
            return answer

    def turned_away(self) -> float:
        """Requests with an answer other than 200, and those that were no requests at all."""
        metrics = self.a.metrics()
        answered = sum(v for n, l, v in metrics.series if n == "peerwatch_http_requests_total" and l["code"] != "200")
        return answered + metrics.sum("peerwatch_http_rejected_total")

    def mutations(self, wanted: int) -> list[bytes]:
        good = b"GET /api/v1/peers HTTP/1.1\r\n" + HEAD + b"Accept: application/json\r\n\r\n"
        mutated = []
        while len(mutated) < wanted:
            data = bytearray(good)
            for _ in range(self.random.randint(3, 10)):
                data[self.random.randrange(len(data))] = self.random.randrange(256)
            mutated.append(bytes(data) + b"\r\n\r\n")
        return mutated

    def test_a_hundred_bad_requests(self):
        bad = bad_requests()
        requests = bad + self.mutations(100 - len(bad))
        memory = self.a.rss()
        before = self.turned_away()
        for number, data in enumerate(requests):
            answer = self.send(data)
            if number < len(bad):
                status = answer.split(b" ")[1:2]
                self.assertTrue(not answer or status[0][:1] in (b"4", b"5"), f"{data[:60]!r} was answered {answer[:100]!r}")
                self.assertNotEqual(status, [b"500"], data[:60])
            self.assertEqual(self.a.get("/-/healthy").status, 200, data[:60])
        wait_for("each bad request is counted", lambda: self.turned_away() - before >= len(bad), 3)
        metrics = self.a.metrics()
        for reason in ("malformed", "too_large", "forbidden_host"):
            self.assertGreater(metrics.value("peerwatch_http_rejected_total", reason=reason), 0, reason)
        self.assertEqual(self.a.events("session_ended"), [])
        self.assertEqual(self.a.state_of(self.b), "connected")
        print(f"memory {memory >> 10} KiB, then {self.a.rss() >> 10} KiB")

    def test_clients_that_never_finish(self):
        """More of them than the server has room for: readers are still served, and the slow are thrown out."""
        slow = []
        for _ in range(200):
            try:
                client = socket.create_connection((self.a.host.address, PORT), timeout=5)
                client.sendall(b"GET /metrics HTTP/1.1\r\nHo")
                slow.append(client)
            except OSError:
                pass
        self.addCleanup(lambda: [client.close() for client in slow])
        self.assertTrue(self.a.controllable(), "the control socket has room of its own")
        deadline = time.monotonic() + 60
        for client in slow:
            client.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                while client.recv(4096):
                    pass
            except ConnectionError:
                pass  # thrown out: what a time-out would not be
        wait_for("served again", lambda: self.a.get("/-/healthy").status == 200, 5)
        self.assertGreater(self.a.metrics().sum("peerwatch_http_rejected_total", reason="timeout"), 0)
        self.assertEqual(self.a.events("session_ended"), [])

    def test_too_fast_is_told_to_wait(self):
        answers = [self.a.get("/metrics") for _ in range(200)]
        refused = [answer for answer in answers if answer.status == 429]
        self.assertTrue(refused, "two hundred scrapes at once are nobody's interval")
        self.assertIn("retry-after", refused[0].headers)
        self.assertEqual({answer.status for answer in answers}, {200, 429})


if __name__ == "__main__":
    harness.main()
