"""Links in the kernel: loss, size and a cut cable by rules on the bridges; rate by token buckets at the cables.

A packet passes three links, as in the simulator: the sender's access, the pair's (or the segment's default), the receiver's
access. Rules look at IP only: a lost question for an address would be asked again after a second, which no link means.
"""
import dataclasses

from .scenario import Link
from .space import Space, run

FRAME_HEADER = 14      # bytes that a token bucket counts and a scenario's rate does not …
TYPICAL_PACKET = 1200  # … weighed for packets of this size
BURST = 4 * 1514       # bytes; a bucket of less than a few frames can't keep up with its rate
LOSS_STEPS = 100_000   # a probability is rounded to one of these
USUAL_MTU = 1500


@dataclasses.dataclass
class Cable:
    """A device's plug: its own end, and the port that is the segment's."""
    space: Space
    device: str
    port: str


@dataclasses.dataclass
class Wiring:
    """The links of one segment."""
    bridge: str
    default: Link
    access: list[tuple[str, Link]]                              # port, link both ways
    pairs: dict[tuple[str, str], Link] = dataclasses.field(default_factory=dict)  # ports; in place of the default


def _drops(link: Link) -> list[str]:
    if not link.up:
        return ["drop"]
    rules = []
    if link.mtu < USUAL_MTU:
        rules.append(f"meta length > {link.mtu} drop")  # silently, as bridges do
    if link.loss:
        rules.append(f"numgen random mod {LOSS_STEPS} < {round(link.loss * LOSS_STEPS)} drop")
    return rules


def ruleset(segments: list[Wiring]) -> str:
    """For the namespace that has the bridges; replaces itself."""
    rules = ["ether type != { ip, ip6 } accept", "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"]
    for segment in segments:
        for port, link in segment.access:
            rules += [f'{side} "{port}" {drop}' for side in ("iifname", "oifname") for drop in _drops(link)]
        for (one, other), link in segment.pairs.items():
            match = f'iifname "{one}" oifname "{other}"'
            rules += [f"{match} {drop}" for drop in _drops(link)] + [f"{match} accept"]
        ports = ", ".join(f'"{port}"' for port, _ in segment.access)  # meta_bridge, which knows bridges, is not everywhere
        rules += [f"iifname {{ {ports} }} {drop}" for drop in _drops(segment.default) if ports]
    return "table bridge links\ndelete table bridge links\ntable bridge links {\nchain forward {\n" \
        "type filter hook forward priority 0;\n" + "\n".join(rules) + "\n}\n}\n"


def limit_rate(cable: Cable, link: Link) -> None:
    """Both ways at a plug."""
    if not link.rate_mbit:
        return
    weight = (TYPICAL_PACKET + FRAME_HEADER) / TYPICAL_PACKET
    rate, queue = round(link.rate_mbit * 1e6 * weight), max(round(link.queue_kib * 1024 * weight), BURST)
    bucket = ["tbf", "rate", f"{rate}bit", "burst", str(BURST), "limit", str(queue)]
    run("tc", "qdisc", "replace", "dev", cable.port, "root", *bucket)
    cable.space.run("tc", "qdisc", "replace", "dev", cable.device, "root", *bucket)
