"""The daemon's port mapping against miniupnpd, in each protocol: what counts is whether a stranger's packet arrives."""
import lab
lab.enter("nft", "conntrack", "miniupnpd")

import os
import select
import subprocess
import time
import unittest

from lab import plain, sketch
from lab.internet import Internet

PORT = 9470
GATEWAY = "192.168.0.1"
CLIENT = os.environ.get("PEERWATCH_PORT_MAPPING_CLIENT")


@unittest.skipUnless(CLIENT, "port_mapping_client is not in this build")
class PortMapping(unittest.TestCase):
    def build(self, **mapper: bool) -> None:
        self.net = Internet(sketch.behind([{"nat": {}, "port_mapper": mapper}]), "kernel")
        self.addCleanup(self.net.close)
        self.sockets = plain.Sockets()
        self.addCleanup(self.sockets.close)
        self.mine = self.sockets.at(self.net.hosts["h0"], sketch.inner(0), PORT)

    def client(self, *options: str) -> subprocess.Popen:
        client = self.net.hosts["h0"].spawn([CLIENT, GATEWAY, sketch.inner(0), str(PORT), *options], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, bufsize=0)
        self.addCleanup(lambda: (client.kill(), client.wait(), client.stdin.close(), client.stdout.close()))
        return client

    def says(self, client: subprocess.Popen, wanted: str, within: float) -> str:
        """The line that begins so."""
        deadline, heard = time.monotonic() + within, []
        while select.select([client.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            line = client.stdout.readline().decode().strip()
            heard.append(line)
            if line.startswith(wanted):
                return line
            if not line:
                break
        self.fail(f"“{wanted}” was not said within {within} s: {heard}")

    def reaches(self) -> bool:
        """By a stranger whom the router has not seen: it goes on translating a flow whose mapping is gone."""
        stranger = self.sockets.at(self.net.hosts["public"], sketch.PUBLIC)
        return plain.reaches(stranger, (sketch.outer(0), PORT), self.mine)

    def tell(self, client: subprocess.Popen, command: str) -> None:
        client.stdin.write(f"{command}\n".encode())
        client.stdin.flush()

    def release(self, client: subprocess.Popen) -> None:
        self.tell(client, "release")
        client.wait(5)
        deadline = time.monotonic() + 3
        while self.reaches():
            self.assertLess(time.monotonic(), deadline, "still mapped")

    def test_pcp_lets_a_stranger_in_until_it_is_released(self):
        self.build(nat_pmp=True, pcp=True)
        self.assertFalse(self.reaches())
        client = self.client()
        self.says(client, f"mapped pcp {sketch.outer(0)}:{PORT}", 20)
        self.assertTrue(self.reaches())
        self.release(client)

    def test_nat_pmp_lets_a_stranger_in_until_it_is_released(self):
        self.build(nat_pmp=True, pcp=True)
        client = self.client("without-pcp")
        self.says(client, f"mapped nat_pmp {sketch.outer(0)}:{PORT}", 30)
        self.assertTrue(self.reaches())
        self.release(client)

    def test_what_a_killed_client_left_behind_is_taken_over(self):
        self.build(nat_pmp=True, pcp=True)
        first = self.client()
        self.says(first, f"mapped pcp {sketch.outer(0)}:{PORT}", 20)
        first.kill()
        first.wait()
        second = self.client()
        self.says(second, "mapped ", 20)
        self.assertTrue(self.reaches())
        self.release(second)

    def test_a_restart_is_found_out_by_a_check(self):
        self.build(nat_pmp=True, pcp=True)
        client = self.client()
        self.says(client, f"mapped pcp {sketch.outer(0)}:{PORT}", 20)
        time.sleep(10)  # an epoch that lags by two seconds or a sixteenth is the same one (RFC 6887, 8.5)
        self.net.routers["r0"].start()
        self.assertFalse(self.reaches())
        self.tell(client, "check")
        deadline = time.monotonic() + 30
        while not self.reaches():
            self.assertLess(time.monotonic(), deadline)
        self.release(client)

    def test_upnp_lets_a_stranger_in_until_it_is_released(self):
        self.build(upnp=True)
        client = self.client()
        self.says(client, f"mapped upnp {sketch.outer(0)}:{PORT}", 60)
        self.assertTrue(self.reaches())
        self.release(client)


if __name__ == "__main__":
    lab.main()
