"""The network of a scenario, built: hosts as namespaces and, for the engine "kernel", namespaces for routers and bridges for
those segments that bridges can be. The other cables end in ports of this namespace, which somebody else is to own (carried()).
"""
import copy
import ipaddress
import itertools
import pathlib
import subprocess

from . import engines, links
from .links import Cable, Wiring
from .router import RouterSpace
from .scenario import Link, Plug, Router, Scenario
from .space import Space, no_offloads, run

_numbers = itertools.count()  # several networks in one process have ports of different names


class HostSpace(Space):
    """A machine of its own: no forwarding, and addresses are there at once."""

    def __init__(self, name: str):
        super().__init__(name)
        self.sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0, ipv6__conf__default__accept_dad=0,
                    ipv6__conf__default__accept_ra=0)


class Internet:
    def __init__(self, scenario: Scenario, engine: str):
        self.scenario, self.kernel = copy.deepcopy(scenario), engine == "kernel"
        self.hosts: dict[str, HostSpace] = {}
        self.routers: dict[str, RouterSpace] = {}
        self.cables: dict[tuple[str, str], Cable] = {}  # by device and segment
        self.wirings: dict[str, Wiring] = {}
        # Ports and bridges are wires: they have nothing to say of their own.
        pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        if self.kernel:
            for segment in (s for s in self.scenario.segments.values() if engines.bridged(scenario, s.name)):
                bridge = f"b{next(_numbers)}"
                run("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0")
                run("ip", "link", "set", bridge, "up")
                self.wirings[segment.name] = Wiring(bridge, segment.link, [])
            for router in self.scenario.routers.values():
                self.routers[router.name] = space = RouterSpace(router)
                self.plug(space, "wan", router.outer)
                self.plug(space, "lan", router.inner)
        for host in self.scenario.hosts.values():
            self.hosts[host.name] = space = HostSpace(host.name)
            for number, plug in enumerate(host.attach):
                self.plug(space, f"eth{number}", plug)
        for segment in self.scenario.segments:
            self.lay_routes(segment)
        self.apply_links()
        for router in self.routers.values():
            router.start()

    def carried(self) -> dict[tuple[str, str], Cable]:
        """Cables whose far end is nobody's yet, by device and segment."""
        return {key: cable for key, cable in self.cables.items() if key[1] not in self.wirings}

    def apply_links(self) -> None:
        if self.wirings:
            run("nft", "-f", "-", given=links.ruleset(list(self.wirings.values())))

    # ---- building
    def plug(self, space: Space, device: str, plug: Plug) -> None:
        cable = Cable(space, device, f"p{next(_numbers)}")
        # One packet at a time: what a kernel sends as one piece would be lost, delayed and measured as one.
        run("ip", "link", "add", cable.port, "gso_max_segs", "1", "type", "veth", "peer", "name", device, "netns", space.name)
        space.ip(f"link set {device} gso_max_segs 1 up", *self.address_commands(plug, device))
        with space.inside():
            no_offloads(device)
        if plug.segment in self.wirings:
            wiring = self.wirings[plug.segment]
            run("ip", "link", "set", cable.port, "master", wiring.bridge, "up")
            wiring.access.append((cable.port, plug.link))
            links.limit_rate(cable, plug.link)
        else:
            no_offloads(cable.port)
            run("ip", "link", "set", cable.port, "up")
        self.cables[space.name, plug.segment] = cable

    @staticmethod
    def address_commands(plug: Plug, device: str) -> list[str]:
        return [f"addr replace {a}/32 dev {device}" for a in plug.of_family(4)] + \
            [f"addr replace {a}/128 dev {device} nodad" for a in plug.of_family(6)]

    def lay_routes(self, segment: str) -> None:
        """Of everybody on it. Its members are neighbours; the rest lies behind routers, or behind its gateway, and
        without a gateway everything is asked for on the cable."""
        members = [(name, plug) for name, plug in self.scenario.plugs() if plug.segment == segment]
        for name, plug in members:
            if (name, segment) not in self.cables:
                continue  # not here: a router that is simulated
            cable = self.cables[name, segment]
            commands = []
            for version, bits in ((4, 32), (6, 128)):
                if plug.of_family(version):
                    commands += self.routes(name, plug, version, bits, cable.device, members)
            cable.space.ip(*commands)

    def routes(self, name: str, plug: Plug, version: int, bits: int, device: str, members: list) -> list[str]:
        commands = [f"route replace {a}/{bits} dev {device}" for other, p in members if other != name
                    for a in p.of_family(version)]
        for router in self.scenario.routers.values():
            if router.name == name or router.outer.segment != plug.segment or not router.outer.of_family(version):
                continue
            commands += [f"route replace {prefix} via {router.outer.of_family(version)[0]} dev {device} onlink"
                         for prefix in router.behind if ipaddress.ip_network(prefix).version == version]
        gateway = self.scenario.gateway(plug.segment, version)
        if gateway in plug.addresses:
            return commands  # it is the gateway itself
        via = f"via {gateway} dev {device} onlink" if gateway else f"dev {device}"
        default = "default" if version == 4 else "::/0"
        if device in ("eth0", "wan"):
            commands.append(f"route replace {default} {via}")
        else:  # a further interface: for what is sent from its addresses
            table = 100 + int(device.removeprefix("eth"))
            commands.append(f"route replace {default} {via} table {table}")
            commands += [f"rule add from {a} lookup {table}" for a in plug.of_family(version)]
        return commands

    # ---- what befalls it
    def set_link(self, one: str, other: str, link: Link, both: bool) -> None:
        """Between two devices on one segment, from now on; one that is carried is its carrier's business."""
        segment = next((s for n, s in self.cables if n == one and (other, s) in self.cables), None)
        if segment not in self.wirings:
            return
        ports = (self.cables[one, segment].port, self.cables[other, segment].port)
        pairs = self.wirings[segment].pairs
        pairs[ports] = link
        if both:
            pairs[ports[::-1]] = link
        self.apply_links()

    def set_addresses(self, name: str, addresses: list[str]) -> None:
        """Of a router's outer side (it forgets its mappings), of a host's first interface."""
        router: Router | None = self.scenario.routers.get(name)
        plug = router.outer if router else self.scenario.hosts[name].attach[0]
        old, plug.addresses = plug.addresses, list(addresses)
        if (name, plug.segment) in self.cables:
            cable = self.cables[name, plug.segment]
            gone = [f"addr del {a}/{128 if ':' in a else 32} dev {cable.device}" for a in old if a not in addresses]
            cable.space.ip(*self.address_commands(plug, cable.device), *gone)
        self.lay_routes(plug.segment)
        if name in self.routers:
            self.routers[name].router = router
            self.routers[name].start()

    def unplug(self, host: str) -> None:
        run("ip", "link", "set", self.first_cable(host).port, "down")

    def plug_in(self, host: str) -> None:
        run("ip", "link", "set", self.first_cable(host).port, "up")

    def first_cable(self, host: str) -> Cable:
        return self.cables[host, self.scenario.hosts[host].attach[0].segment]

    def close(self) -> None:
        """Between two networks of one process; the last one needs none."""
        for space in (*self.hosts.values(), *self.routers.values()):
            space.delete()
        for device in [c.port for c in self.cables.values()] + [w.bridge for w in self.wirings.values()]:
            subprocess.run(["ip", "link", "del", device], capture_output=True, check=False)
