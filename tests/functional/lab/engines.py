"""What an engine of real daemons can't express, in words: the table of what is skipped."""
from .scenario import Link, Scenario

KERNEL, USERSPACE = "kernel", "userspace"
ENGINES = (KERNEL, USERSPACE)

# A field of a link, and why the kernel's bridges don't have it when it isn't the default.
LINK_FIELDS = {
    "delay": "a kernel without netem delays nothing",
    "jitter": "a kernel without netem delays nothing",
    "bursts": "rules of nftables have no memory for bursts of loss",
    "reorder": "a bridge keeps packets in order",
    "duplicate": "a bridge duplicates nothing",
    "corrupt": "a bridge corrupts nothing",
}


def _links(scenario: Scenario) -> list[tuple[str, Link, bool]]:
    """(where, link, whether it is a plug's)"""
    return [(f"segment {s.name}", s.link, False) for s in scenario.segments.values()] + \
        [(f"{name} at {plug.segment}", plug.link, True) for name, plug in scenario.plugs()] + \
        [(f"do link {a.target} {a.to}", a.link, False) for a in scenario.actions if a.link]


def _kernel(scenario: Scenario) -> list[str]:
    reasons = []
    for where, link, at_plug in _links(scenario):
        reasons += [f"{where}: {field}: {why}" for field, why in LINK_FIELDS.items() if getattr(link, field) != getattr(Link(), field)]
        if link.rate_mbit and not at_plug:
            reasons.append(f"{where}: rate_mbit: token buckets stand at plugs, not between two of them")
        if link.mtu > Link().mtu:
            reasons.append(f"{where}: mtu: cables of the laboratory carry {Link().mtu} bytes")
    for segment in scenario.segments.values():
        if segment.hops:
            reasons.append(f"segment {segment.name}: hops: a bridge does not lower a TTL")
    for router in scenario.routers.values():
        mapper, nat = router.port_mapper, router.nat
        if mapper.nat_pmp or mapper.pcp or mapper.upnp:
            reasons.append(f"router {router.name}: port_mapper: routers of the kernel run none")
        if nat and nat.hairpin == "internal-source" and nat.filtering != "endpoint-independent":
            reasons.append(f"router {router.name}: hairpin internal-source: what is not translated can't be filtered by it")
    return reasons


def against(scenario: Scenario, engine: str) -> str | None:
    """What stands against running it on this engine; None: nothing."""
    return "; ".join(_kernel(scenario)) or None if engine == KERNEL else None
