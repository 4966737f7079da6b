"""Peers that a file or DNS names are dialled, and lose their session when they are named no more."""
import lab
lab.enter()

import os
import pathlib
import socket
import struct
import subprocess
import threading
import unittest

import harness
from node import PORT, wait_for

SRV, TXT, SERVICE = 33, 16, "_peerwatch._udp.mesh.test"


def block(*nodes) -> str:
    return "".join(f'[[peer]]\nid = "{n.id}"\nname = "{n.name}"\naddresses = ["{n.address}"]\n' for n in nodes)


class DiscoveredByFile(harness.MeshTest):
    def write(self, text: str) -> None:
        new = self.folder / "new.toml"
        new.write_text(text)
        os.replace(new, self.peers)

    def test_peers_come_and_go_with_the_file_and_a_bad_one_changes_nothing(self):
        a, b, c = self.node("a"), self.node("b"), self.node("c")
        self.peers = self.folder / "peers.toml"
        self.write(block(b))
        a.config["discovery"] = {"file": str(self.peers)}
        b.knows(a)
        c.knows(a)
        for node in (a, b, c):
            node.start()
        self.connected(a, b)
        self.assertEqual(a.peer(b)["method"], "file")
        self.write(block(b, c))
        self.connected(a, c)
        self.assertEqual(a.metrics().sum("p2p_discovered_peers_total", discovery_method="file"), 2)

        self.write('[[peer]]\nid = "short"\n')
        failed = wait_for("the bad file is told of", lambda: a.events("discovery_failed"), 5)
        self.assertIn("peer.id", failed[-1]["detail"])
        failures = lambda: a.metrics().sum("p2p_discovery_failures_total", discovery_method="file")
        wait_for("the failure is counted, in a picture that is a second old at most", lambda: failures() == 1, 3)
        self.assertEqual((a.state_of(b), a.state_of(c)), ("connected", "connected"))

        self.write(block(c))
        ended = wait_for("the session with b ended", lambda: a.events("session_ended", b), 5)
        self.assertEqual(ended[-1]["reason"], "peer_removed")
        self.assertEqual(a.state_of(c), "connected")
        self.assertEqual(a.events("session_ended", c), [])


class NameServer:
    """Answers SRV, TXT and A of what it knows (RFC 1035), on port 53 of a host."""

    def __init__(self, host):
        self.records: dict[tuple[str, int], list[bytes]] = {}
        self.socket = host.udp(host.address, 53)
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def name(dotted: str) -> bytes:
        return b"".join(bytes([len(part)]) + part.encode() for part in dotted.split(".")) + b"\0"

    def srv(self, target: str, port: int) -> None:
        self.records.setdefault((SERVICE, SRV), []).append(struct.pack("!HHH", 1, 1, port) + self.name(target))

    def txt(self, host: str, text: str) -> None:
        self.records[host, TXT] = [bytes([len(text)]) + text.encode()]

    def address(self, host: str, address: str) -> None:
        self.records[host, 1] = [socket.inet_aton(address)]

    def serve(self) -> None:
        while True:
            question, asker = self.socket.recvfrom(2048)
            labels, at = [], 12
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += 1 + question[at]
            kind, = struct.unpack_from("!H", question, at + 1)
            data = self.records.get((".".join(labels).lower(), kind), [])
            known = any(name == ".".join(labels).lower() for name, _ in self.records)
            answer = question[:2] + struct.pack("!HHHHH", 0x8580 if known else 0x8583, 1, len(data), 0, 0) + question[12:at + 5]
            for one in data:
                answer += struct.pack("!HHHIH", 0xC00C, kind, 1, 30, len(one)) + one
            self.socket.sendto(answer, asker)


class DiscoveredByDns(harness.MeshTest):
    def test_who_has_the_secret_and_a_name_is_dialled(self):
        a, b = self.node("a"), self.node("b")
        resolver = self.folder / "resolv.conf"
        resolver.write_text(f"nameserver {b.host.address}\noptions timeout:1\n")
        subprocess.run(["mount", "--bind", resolver, pathlib.Path("/etc/resolv.conf").resolve()], check=True)
        server = NameServer(b.host)
        server.srv("b.mesh.test", PORT)
        server.txt("b.mesh.test", f"id={b.id}")
        server.address("b.mesh.test", b.host.address)
        secret = self.folder / "secret"
        secret.write_bytes(bytes(range(32)))
        secret.chmod(0o600)
        for node in (a, b):
            node.config["mesh"] = {"admission": "secret", "secret_files": [str(secret)]}
        a.config["discovery"] = {"dns": SERVICE}
        a.start()
        b.start()
        self.connected(a, b)
        self.assertEqual(a.peer(b)["method"], "dns")
        self.assertEqual(a.metrics().sum("p2p_discovered_peers_total", discovery_method="dns"), 1)


if __name__ == "__main__":
    harness.main()
