"""What engines of real daemons can't express, in words, and which segments are a kernel's own."""
import dataclasses

from .mapper import speaks
from .scenario import Link, Scenario

KERNEL, USERSPACE = "kernel", "userspace"
ENGINES = (KERNEL, USERSPACE)

# What bridges, their rules and token buckets have of a link; a segment with more than that is carried by lab_wire.
BRIDGED_FIELDS = {"loss", "up", "mtu"}
BRIDGED_AT_PLUGS = BRIDGED_FIELDS | {"rate_mbit", "queue_kib"}


def _only(link: Link, fields: set[str]) -> bool:
    return all(getattr(link, f.name) == f.default for f in dataclasses.fields(Link) if f.name not in fields)


def bridged(scenario: Scenario, segment: str) -> bool:
    """Whether a kernel's bridge does for it."""
    members = {name for name, plug in scenario.plugs() if plug.segment == segment}
    pairs = [scenario.segments[segment].link] + [a.link for a in scenario.actions if a.link and {a.target, a.to} <= members]
    plugs = [plug.link for _, plug in scenario.plugs() if plug.segment == segment]
    return scenario.segments[segment].hops == 0 and all(_only(link, BRIDGED_FIELDS) for link in pairs) and \
        all(_only(link, BRIDGED_AT_PLUGS) for link in plugs)


def _kernel(scenario: Scenario) -> list[str]:
    reasons = []
    for router in scenario.routers.values():
        mapper, nat = router.port_mapper, router.nat
        if mapper.nat_pmp != mapper.pcp:
            reasons.append(f"router {router.name}: port_mapper: miniupnpd speaks both of NAT-PMP and PCP or neither")
        if mapper.refuses:
            reasons.append(f"router {router.name}: port_mapper: miniupnpd refuses only after it has tried every port")
        if mapper.lie != "none":
            reasons.append(f"router {router.name}: port_mapper: miniupnpd does not lie")
        if speaks(mapper) and not nat:
            reasons.append(f"router {router.name}: port_mapper: miniupnpd has nothing to do without a NAT")
        if nat and nat.hairpin == "internal-source" and nat.filtering != "endpoint-independent":
            reasons.append(f"router {router.name}: hairpin internal-source: what is not translated can't be filtered by it")
        if nat and nat.input_accepts and nat.ports != "preserving":
            reasons.append(f"router {router.name}: input_accepts: with ports that aren't kept, the kernel drops what an early "
                           "probe stands against instead of moving it to another port")
    return reasons


def _both(scenario: Scenario) -> list[str]:
    links = [s.link for s in scenario.segments.values()] + [p.link for _, p in scenario.plugs()] + \
        [a.link for a in scenario.actions if a.link]
    return [f"mtu: cables of the laboratory carry {Link().mtu} bytes"] if any(link.mtu > Link().mtu for link in links) else []


def against(scenario: Scenario, engine: str) -> str | None:
    """What stands against running it on this engine; None: nothing."""
    return "; ".join(_both(scenario) + (_kernel(scenario) if engine == KERNEL else [])) or None
