"""A scenario whose network lab_wire carries between real hosts, and measurements on it with the kernel's own clock."""
import contextlib
import dataclasses
import json
import pathlib
import signal
import socket
import struct
import tempfile
import time

from lab import wire
from lab.internet import Internet
from lab.load import load

SO_TIMESTAMPNS = 35  # not in Python's socket module
PORT = 9470
HEADERS = 28         # IPv4 and UDP
HEAD = struct.Struct("!I")
QUIET = 0.3          # seconds without a packet: nothing comes any more


class Carried:
    """Between setUp and cleanup. `text`: a scenario file."""

    def __init__(self, cleanup: contextlib.ExitStack, text: str):
        folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-wire-")))
        file = folder / "carried.toml"
        file.write_text(text)
        self.net = Internet(load(file), "userspace")
        cleanup.callback(self.net.close)
        self.wire = wire.Wire(self.net)
        cleanup.callback(self.wire.close)

    def tell(self, line: str) -> str:
        self.wire.process.stdin.write(line + "\n")
        self.wire.process.stdin.flush()
        return self.wire.process.stdout.readline().rstrip("\n")

    def do(self, **action: object) -> None:
        answer = self.tell(json.dumps({key.rstrip("_"): value for key, value in action.items()}))
        if answer != "ok":
            raise RuntimeError(f"{action}: {answer}")

    def link(self, one: str, other: str, both: bool = False, **conditions: object) -> None:
        self.do(what="link", from_=one, to=other, both=both, set=conditions)

    def counted(self) -> dict:
        self.wire.process.send_signal(signal.SIGUSR1)
        return json.loads(self.wire.process.stdout.readline())

    def socket(self, host: str, address: str, port: int = 0) -> socket.socket:
        made = self.net.hosts[host].udp(address, port)
        made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        made.setblocking(False)
        return made


@dataclasses.dataclass
class Arrival:
    number: int
    delay: float   # milliseconds, from the call that sent it to the kernel that received it
    at: float      # seconds
    intact: bool


def _payload(number: int, size: int) -> bytes:
    return HEAD.pack(number) + bytes(size - HEAD.size)


def _take(receiver: socket.socket, sent: list[tuple[int, int]], into: list[Arrival]) -> bool:
    try:
        data, ancillary, _, _ = receiver.recvmsg(2048, 64)
    except BlockingIOError:
        return False
    seconds, nanoseconds = struct.unpack("ll", ancillary[0][2][:16])
    at = seconds * 10**9 + nanoseconds
    number = HEAD.unpack_from(data)[0]
    if number < len(sent):
        size, began = sent[number]
        into.append(Arrival(number, (at - began) / 1e6, at / 1e9, data == _payload(number, size)))
    else:  # a bit of its number was flipped
        into.append(Arrival(-1, 0, at / 1e9, False))
    return True


def one_way(sender: socket.socket, receiver: socket.socket, to: tuple[str, int], count: int, every: float = 0.001,
            size: int = 64) -> list[Arrival]:
    """`count` datagrams of `size` bytes (of UDP's data), one `every` so many seconds; what arrived, in that order."""
    arrivals: list[Arrival] = []
    sent: list[tuple[int, int]] = []
    began = time.monotonic()
    for number in range(count):
        while (left := began + number * every - time.monotonic()) > 0:
            if not _take(receiver, sent, arrivals):
                time.sleep(min(left, 0.0005))
        sent.append((size, time.time_ns()))
        sender.sendto(_payload(number, size), to)
    last = time.monotonic()
    while time.monotonic() - last < QUIET:
        if _take(receiver, sent, arrivals):
            last = time.monotonic()
        else:
            time.sleep(0.001)
    return arrivals


def round_trips(asking: socket.socket, answering: socket.socket, to: tuple[str, int], count: int) -> list[float]:
    """Milliseconds each, one after the other."""
    asking.settimeout(5)
    answering.settimeout(5)
    found = []
    for number in range(count):
        began = time.time_ns()
        asking.sendto(HEAD.pack(number), to)
        data, whence = answering.recvfrom(2048)
        answering.sendto(data, whence)
        _, ancillary, _, _ = asking.recvmsg(2048, 64)
        seconds, nanoseconds = struct.unpack("ll", ancillary[0][2][:16])
        found.append((seconds * 10**9 + nanoseconds - began) / 1e6)
    asking.setblocking(False)
    answering.setblocking(False)
    return found
