"""The address of a machine is replaced under a live session: its daemon is told by the kernel and goes on from another."""
import lab
lab.enter()

import time

import harness
from node import wait_for

OLD, NEW = "10.77.0.1", "10.77.0.101"


class AddressChange(harness.MeshTest):
    def test_a_replaced_address_is_noticed_at_once_and_the_session_goes_on_from_the_new_one(self):
        a, b = self.node("a"), self.node("b")
        a.config["network"]["listen"] = ["0.0.0.0:9470"]
        a.config["network"]["exclude_interfaces"] = ["spare*"]
        a.knows(b)
        b.knows(a)
        a.api = a.socket  # an address of its own is what it loses
        a.start()
        b.start()
        self.connected(a, b)
        self.assertEqual(a.events("network_changed"), [])

        a.host.ip("link add spare0 type veth peer name spare1", "addr add 10.99.0.1/24 dev spare0", "link set spare0 up",
                  "link set spare1 up")
        began = time.monotonic()
        a.host.ip(f"addr add {NEW}/24 dev eth0", f"addr del {OLD}/24 dev eth0", f"addr replace {NEW}/24 dev eth0")
        changes = wait_for("it is told", lambda: a.events("network_changed"), 2, 0.01)
        self.assertLess(time.monotonic() - began, 1)
        self.assertIn(f"{NEW} (eth0)", " ".join(e.get("added", "") for e in changes))
        self.assertNotIn("spare0", " ".join(e.get("added", "") for e in changes), "an excluded interface")
        wait_for("the peer follows", lambda: [p for p in (b.peer(a) or {}).get("paths", [])
                                              if p["in_use"] and p["remote"] == f"{NEW}:9470"], 10)
        removed = wait_for("the old one is told", lambda: [e for e in a.events("network_changed") if "removed" in e], 2)
        self.assertIn(OLD, removed[-1]["removed"])
        for node, other in ((a, b), (b, a)):
            self.assertEqual(node.state_of(other), "connected")
            self.assertEqual(node.events("session_ended"), [])
        self.assertEqual([e for e in a.events("path_health_changed") if e["to"] == "dead"], [])
        for path in a.peer(b)["paths"]:
            self.assertNotEqual(path["local"], OLD)

    def test_an_unplugged_machine_is_back_at_once_when_it_is_plugged_in_again(self):
        a, b = self.mesh("a", "b")
        a.api = a.socket
        a.host.unplug()
        wait_for("no path is alive", lambda: a.peer(b)["path"] == "none", 20)
        self.assertIn(OLD, a.events("network_changed")[-1]["removed"])
        a.host.plug()
        began = time.monotonic()
        wait_for("the path is back", lambda: a.peer(b)["path"] == "direct_v4", 5, 0.01)
        print(f"back after {time.monotonic() - began:.2f} s")
        self.assertEqual(a.events("session_ended"), [])


if __name__ == "__main__":
    harness.main()
