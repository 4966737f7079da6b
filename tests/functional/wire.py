"""Real packets between two hosts of the laboratory: seen at the bridge's end of a cable, and put back on it altered."""
import socket
import struct
import time

ETH_P_ALL = 3
ETH_P_IP = 0x0800
ETHERNET, IP_HEADER, UDP_HEADER = 14, 20, 8
PAYLOAD = ETHERNET + IP_HEADER + UDP_HEADER


class Wire:
    """The cable of one host. `captured` frames go to that host; inject() sends as if they came from their sender."""

    def __init__(self, port: str):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((port, 0))

    def close(self) -> None:
        self.socket.close()

    def capture(self, count: int, timeout: float) -> list[bytes]:
        """UDP frames over IPv4 that travel to the host."""
        frames: list[bytes] = []
        deadline = time.monotonic() + timeout
        while len(frames) < count and time.monotonic() < deadline:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                frame, where = self.socket.recvfrom(2048)
            except TimeoutError:
                break
            outgoing = where[2] == socket.PACKET_OUTGOING  # the bridge sends it to the host
            if outgoing and where[1] == ETH_P_IP and len(frame) > PAYLOAD and frame[ETHERNET + 9] == socket.IPPROTO_UDP:
                length = struct.unpack_from("!H", frame, ETHERNET + 2)[0]
                frames.append(frame[:ETHERNET + length])
        return frames

    def inject(self, frame: bytes) -> None:
        """The checksum of UDP is switched off (zero): it would betray what was altered before our own checks could."""
        altered = bytearray(frame)
        altered[PAYLOAD - 2:PAYLOAD] = b"\0\0"
        self.socket.send(altered)
