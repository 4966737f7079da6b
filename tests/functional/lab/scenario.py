"""A scenario (docs/scenarios.md) as values: a network, what befalls it, and what must be seen."""
import dataclasses
import ipaddress
import pathlib

MAPPINGS = ("endpoint-independent", "address-dependent", "address-and-port-dependent")
PORTS = ("preserving", "sequential", "random")
POOLING = ("paired", "arbitrary")
HAIRPIN = ("none", "external-source", "internal-source")
LIES = ("none", "maps-nothing", "wrong-address", "private-address", "forgets", "wrong-port")
NO_NAT = ("none", "udp-blocked")


@dataclasses.dataclass(frozen=True)
class Link:
    """One direction of a cable. Times in seconds."""
    delay: float = 0
    jitter: float = 0
    in_order: bool = False
    loss: float = 0
    bursts: tuple[float, float, float] | None = None
    reorder: float = 0
    reorder_by: float = 0.005
    duplicate: float = 0
    corrupt: float = 0
    rate_mbit: float = 0
    queue_kib: int = 64
    mtu: int = 1500
    up: bool = True


@dataclasses.dataclass
class Segment:
    name: str
    link: Link
    hops: int


@dataclasses.dataclass
class Plug:
    """Where a device is plugged in."""
    segment: str
    addresses: list[str]
    link: Link

    def of_family(self, version: int) -> list[str]:
        return [a for a in self.addresses if ipaddress.ip_address(a).version == version]


@dataclasses.dataclass
class Nat:
    mapping: str
    filtering: str
    ports: str
    step: int
    first_port: int
    last_port: int
    pooling: str
    hairpin: str
    timeout: float
    inbound_refreshes: bool
    max_mappings: int
    input_accepts: bool


@dataclasses.dataclass
class Firewall:
    stateful: bool
    timeout: float
    udp_blocked: bool
    tcp_blocked: bool
    udp_ports: list[int]
    udp_rate_mbit: float


@dataclasses.dataclass
class PortMapper:
    nat_pmp: bool
    pcp: bool
    upnp: bool
    refuses: bool
    lie: str
    max_lifetime: float


@dataclasses.dataclass
class Router:
    name: str
    outer: Plug
    inner: Plug
    behind: list[str]
    nat: Nat | None
    firewall: Firewall
    port_mapper: PortMapper


@dataclasses.dataclass
class Host:
    name: str
    attach: list[Plug]
    peers: list[str] | None  # None: no daemon
    hidden: list[str]
    start: bool
    serves: str | None

    @property
    def addresses(self) -> list[str]:
        return [address for plug in self.attach for address in plug.addresses]

    @property
    def stun_addresses(self) -> list[str]:
        """The first two of one family; none if there are no two."""
        families = [[a for a in self.addresses if ipaddress.ip_address(a).version == version] for version in (4, 6)]
        return next((family[:2] for family in families if len(family) >= 2), [])


@dataclasses.dataclass
class Action:
    at: float
    what: str
    target: str              # of "link": from
    to: str = ""
    lasts: float = 0
    set: dict = dataclasses.field(default_factory=dict)  # of "link": what is named of it
    link: Link | None = None                             # and the whole
    both: bool = True
    addresses: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Expectation:
    what: str
    pair: tuple[str, str]    # of "nat": behind, server
    at: float
    after: float | None = None  # watched from then until `at`; None: seen at `at`
    value: float = 0
    within: float = 0
    nat: dict[str, str] | str = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Scenario:
    file: pathlib.Path
    about: str
    segments: dict[str, Segment]
    routers: dict[str, Router]
    hosts: dict[str, Host]
    actions: list[Action]  # by time
    expectations: list[Expectation]

    @property
    def name(self) -> str:
        return self.file.stem

    def plugs(self) -> list[tuple[str, Plug]]:
        """Every device's name and plug, in the file's order."""
        return [(r.name, p) for r in self.routers.values() for p in (r.outer, r.inner)] + \
            [(h.name, p) for h in self.hosts.values() for p in h.attach]

    def gateway(self, segment: str, version: int) -> str | None:
        """The address of the router that the segment's members send everything else to."""
        inner = [r.inner for r in self.routers.values() if r.inner.segment == segment]
        return next((a for plug in inner for a in plug.of_family(version)), None)

    @property
    def end(self) -> float:
        return max([a.at for a in self.actions] + [e.at for e in self.expectations] + [0.0])
