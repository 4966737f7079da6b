"""Plain UDP sockets that look at a network from both sides of a router: no program of ours is asked."""
import os
import select
import socket
import time

from .space import Space

ARRIVES = 0.5  # seconds that an undelayed datagram may take on a busy machine


def receive(at: socket.socket, expected: bytes, timeout: float = ARRIVES) -> tuple[str, int] | None:
    """Who sent this; None: it did not arrive. Older datagrams are thrown away."""
    deadline = time.monotonic() + timeout
    while select.select([at], [], [], max(0, deadline - time.monotonic()))[0]:
        try:
            data, source = at.recvfrom(2048)
        except ConnectionError:
            continue  # what a router said of an earlier one
        if data == expected:
            return source[:2]
    return None


def send(sender: socket.socket, to: tuple[str, int]) -> bytes:
    """A datagram unlike every other."""
    token = os.urandom(8)
    try:
        sender.sendto(token, to)
    except ConnectionError:
        sender.sendto(token, to)  # the first call told of an earlier datagram
    return token


def seen(sender: socket.socket, receiver: socket.socket, to: tuple[str, int] | None = None) -> tuple[str, int] | None:
    """From where the receiver sees the sender."""
    return receive(receiver, send(sender, to or receiver.getsockname()[:2]))


def reaches(sender: socket.socket, to: tuple[str, int], receiver: socket.socket) -> bool:
    return seen(sender, receiver, to) is not None


class Sockets:
    """Those of a test, closed together."""

    def __init__(self):
        self.open: list[socket.socket] = []

    def at(self, space: Space, address: str, port: int = 0) -> socket.socket:
        self.open.append(space.udp(address, port))
        return self.open[-1]

    def close(self) -> None:
        for one in self.open:
            one.close()
        self.open.clear()
