"""The plain laboratory: hosts on one bridge, which this process is on too.

    10.77.0.254  this process
    10.77.0.1 …  one host each, in a namespace of its own
"""
import subprocess

from .space import Space, run

SUBNET = "10.77.0"
OWN_ADDRESS = f"{SUBNET}.254"


class Host(Space):
    """A machine on the bridge."""

    def __init__(self, name: str, address: str):
        super().__init__(name)
        self.address = address
        self.port = f"v-{name}"[:15]  # our end of its cable, a port of the bridge
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", self.port, "master", "br0", "up")
        self.ip(f"addr add {address}/24 dev eth0", "link set eth0 up")

    def unplug(self) -> None:
        run("ip", "link", "set", self.port, "down")

    def plug(self) -> None:
        run("ip", "link", "set", self.port, "up")


class Lab:
    def __init__(self):
        self.hosts: dict[str, Host] = {}
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "addr", "add", f"{OWN_ADDRESS}/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")

    def host(self, name: str) -> Host:
        self.hosts[name] = Host(name, f"{SUBNET}.{len(self.hosts) + 1}")
        return self.hosts[name]

    def close(self) -> None:
        """Between two tests of one process; the last one needs none."""
        for host in self.hosts.values():
            host.delete()
        for host in self.hosts.values():
            subprocess.run(["ip", "link", "del", host.port], capture_output=True, check=False)
        run("ip", "link", "del", "br0")
