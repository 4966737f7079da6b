"""What a machine's cable carries, with the kernel's time stamps: for what is to be timed without asking a daemon."""
import dataclasses
import select
import socket
import struct

from .space import Space

SO_TIMESTAMPNS = 35  # not in Python's socket module
ETH_P_ALL, ETH_P_IP = 0x0003, 0x0800  # what is sent is shown to those only who want all
OUTGOING = 4         # PACKET_OUTGOING
BUFFER = 4 << 20


@dataclasses.dataclass(frozen=True)
class Packet:
    """A UDP packet."""
    at: float
    sent: bool       # by this machine; else it came
    other: str       # address
    first: int       # byte of its payload

    @property
    def quic(self) -> bool:
        """RFC 9443: neither STUN nor one of our own."""
        return self.first >= 64


class Tap:
    def __init__(self, space: Space, device: str = "eth0"):
        with space.inside():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((device, ETH_P_ALL))

    def waiting(self, timeout: float) -> list[Packet]:
        """What has come, after waiting for a first one."""
        found = []
        while select.select([self.socket], [], [], 0 if found else timeout)[0]:
            data, ancillary, _, (_, protocol, kind, *_) = self.socket.recvmsg(256, 64)
            header = (data[0] & 15) * 4
            if protocol != ETH_P_IP or data[9] != socket.IPPROTO_UDP or len(data) <= header + 8:
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            address = data[16:20] if kind == OUTGOING else data[12:16]
            found.append(Packet(seconds + nanoseconds / 1e9, kind == OUTGOING, socket.inet_ntoa(address), data[header + 8]))
        return found

    def close(self) -> None:
        self.socket.close()
