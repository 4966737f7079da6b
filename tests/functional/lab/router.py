"""A router of a scenario as a namespace: its rules, its time-outs, and what befalls it."""
import math
import zlib

from . import mapper, nat
from .scenario import Firewall, Router
from .space import Space, run

FLOWS = 65536         # of a stateful firewall
RATE_WINDOW = 0.1     # seconds of its rate that a throttle lets through at once, besides the kernel's own second


def guard(router: Router) -> str:
    """The firewall, between translation and inside, and what the router itself takes."""
    wall: Firewall = router.firewall
    translated = router.nat is not None
    takes_all = translated and router.nat.input_accepts
    rules = []
    if wall.udp_blocked:
        rules.append("meta l4proto udp drop")
    if wall.tcp_blocked:
        rules.append("meta l4proto tcp drop")
    if wall.udp_ports:
        rules.append('iifname "lan" oifname "wan" udp dport != { ' + ", ".join(map(str, wall.udp_ports)) + " } drop")
    if wall.udp_rate_mbit:
        rate = round(wall.udp_rate_mbit * 1e6 / 8)
        for side in ("lan", "wan"):
            rules.append(f'iifname "{side}" meta l4proto udp limit rate over {rate} bytes/second'
                         f" burst {max(round(rate * RATE_WINDOW), 1500)} bytes drop")
    sets = []
    if wall.stateful:
        # A table of its own, not the kernel's tracking: its time-out is not the NAT's.
        for family, kind in (("ip", "ipv4_addr"), ("ip6", "ipv6_addr")):
            sets.append(f"set flows_{family} {{ type inet_proto . {kind} . inet_service . {kind} . inet_service; size {FLOWS};"
                        f" flags dynamic,timeout; timeout {round(wall.timeout * 1000)}ms; }}")
            there = f"meta l4proto . {family} saddr . th sport . {family} daddr . th dport"
            back = f"meta l4proto . {family} daddr . th dport . {family} saddr . th sport"
            rules.append(f'iifname "lan" oifname "wan" update @flows_{family} {{ {there} }} accept')
            rules.append(f'iifname "wan" {back} @flows_{family} update @flows_{family} {{ {back} }} accept')
        rules.append('iifname "wan" meta l4proto { tcp, udp } drop')
    if translated:
        rules += ['iifname "wan" meta nfproto ipv4 ct status dnat accept', 'iifname "wan" meta nfproto ipv4 ct state new drop']
    return "\n".join(["table inet guard {", *sets, "chain forward {", "type filter hook forward priority 0;", *rules, "}",
                      "chain input {", "type filter hook input priority 0;",
                      *([] if takes_all else ['iifname "wan" meta l4proto { tcp, udp } drop']), "}", "}"]) + "\n"


class RouterSpace(Space):
    """Has the interfaces "wan" and "lan"; start() once they are there."""

    def __init__(self, router: Router):
        super().__init__(router.name)
        self.router = router
        self.starts = 0
        self.mapper: mapper.Mapper | None = None
        self.sysctl(ipv4__conf__all__rp_filter=0, ipv4__conf__default__rp_filter=0, ipv4__conf__all__send_redirects=0,
                    ipv4__conf__default__send_redirects=0, ipv4__ip_forward=1, ipv6__conf__all__forwarding=1,
                    ipv6__conf__default__accept_dad=0)

    def nft(self, ruleset: str) -> None:
        with self.inside():
            run("nft", "-f", "-", given=ruleset)

    def start(self) -> None:
        """Its rules anew, with nothing in them."""
        # While flows are forgotten nothing passes: the new rules would learn from a flow of before.
        self.power_off()
        seed = zlib.crc32(f"{self.name} {self.starts}".encode())
        self.starts += 1
        behaviour = self.router.nat
        rules = "flush ruleset\n" + guard(self.router)
        if behaviour:
            rules += nat.ruleset(behaviour, self.router.outer.of_family(4), seed, mapper.speaks(self.router.port_mapper))
        if mapper.speaks(self.router.port_mapper):
            rules += mapper.RULES
        if behaviour:
            timeout = math.ceil(behaviour.timeout)
            self.sysctl(netfilter__nf_conntrack_udp_timeout=timeout, netfilter__nf_conntrack_udp_timeout_stream=timeout)
            with self.inside():
                run("conntrack", "-F")
        self.nft(rules)
        if mapper.speaks(self.router.port_mapper):
            self.mapper = mapper.Mapper(self, self.router.port_mapper, self.router.inner.of_family(4)[0])

    def stop_mapper(self) -> None:
        if self.mapper:
            self.mapper.stop()
            self.mapper = None

    def power_off(self) -> None:
        self.stop_mapper()
        self.nft("flush ruleset\ntable inet off {\nchain everything {\ntype filter hook prerouting priority -400;\n"
                 "policy drop;\n}\n}\n")

    def delete(self) -> None:
        self.stop_mapper()
        super().delete()
