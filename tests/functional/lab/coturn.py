"""coturn, an outsider: its server for STUN (RFC 5780), and its verdict on a NAT."""
import os
import re
import socket
import struct
import subprocess
import time

from .space import Space

PORT, OTHER_PORT = 3478, 3479
PATIENCE = 60  # seconds: it waits 3 for each answer that does not come
ANSWER = "UDP reflexive addr"
WORDS = {"endpoint independent": "endpoint-independent", "address dependent": "address-dependent",
         "address and port dependent": "address-and-port-dependent"}


class Server:
    """On the two addresses of a host. Ready when this returns."""

    def __init__(self, space: Space, addresses: list[str]):
        listening = [option for address in addresses for option in ("-L", address)]
        self.process = space.spawn(
            ["turnserver", "-n", "-S", *listening, "-p", str(PORT), f"--alt-listening-port={OTHER_PORT}", "--no-tcp",
             "--no-tls", "--no-dtls", "--no-cli", "--log-file=/dev/null", "--pidfile=/dev/null", "--relay-threads=1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        with space.udp(addresses[0]) as asking:
            asking.settimeout(0.1)
            while not mapped_address(asking, (addresses[0], PORT)):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"turnserver does not answer (status {self.process.poll()})")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def mapped_address(asking: socket.socket, server: tuple[str, int]) -> tuple[str, int] | None:
    """One question of RFC 5389: from where the server sees this socket. None: no answer within the socket's time-out."""
    transaction = os.urandom(12)
    asking.sendto(struct.pack("!HHI", 0x0001, 0, 0x2112A442) + transaction, server)
    deadline = time.monotonic() + asking.gettimeout()
    while time.monotonic() < deadline:
        try:
            answer = asking.recv(2048)
        except (TimeoutError, ConnectionError):
            continue
        if answer[8:20] != transaction:
            continue
        at = 20
        while at + 4 <= len(answer):
            kind, length = struct.unpack_from("!HH", answer, at)
            if kind == 0x0020 and answer[at + 5] == 1:
                port, address = struct.unpack_from("!HI", answer, at + 6)
                return socket.inet_ntoa(struct.pack("!I", address ^ 0x2112A442)), port ^ 0x2112
            at += 4 + (length + 3) // 4 * 4
    return None


class Discovery:
    """turnutils_natdiscovery, asking from a host; several may ask at the same time."""

    def __init__(self, space: Space, own: str, server: str, *options: str):
        self.process = space.spawn(["turnutils_natdiscovery", "-L", own, *(options or ("-m", "-f")), server], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)

    def said(self) -> str:
        try:
            return self.process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def verdict(self) -> dict[str, str]:
        """{"nat": "translated", "mapping": …, "filtering": …}; "none": addresses stay as they are; "udp-blocked": no answer
        at all."""
        said = self.said()
        found = {kind.lower(): WORDS[words.lower()] for words, kind in
                 re.findall(r"NAT with ([A-Za-z ]+) (Mapping|Filtering)!", said)}
        if ANSWER not in said:
            return {"nat": "udp-blocked"}
        if "No NAT!" in said:
            return {"nat": "none", "mapping": "endpoint-independent", **found}
        return {"nat": "translated", **found}
