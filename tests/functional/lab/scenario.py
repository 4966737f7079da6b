"""A scenario file (docs/scenarios.md) as values. Whatever is unknown or out of place is an error that names it."""
import dataclasses
import ipaddress
import pathlib
import re
import tomllib

from .tables import Bad, Table, duration

MAPPINGS = ("endpoint-independent", "address-dependent", "address-and-port-dependent")
PORTS = ("preserving", "sequential", "random")
POOLING = ("paired", "arbitrary")
HAIRPIN = ("none", "external-source", "internal-source")
LIES = ("none", "maps-nothing", "wrong-address", "private-address", "forgets", "wrong-port")
ACTIONS = {"kill": ("host",), "start": ("host",), "stop": ("host",), "freeze": ("host", "for"), "unplug": ("host",),
           "plug": ("host",), "link": ("from", "to", "set"), "reboot": ("router",), "addresses": ("addresses",)}
NO_NAT = ("none", "udp-blocked")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


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
    queue_kib: float = 64
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
    link: Link | None = None
    set: dict | None = None  # of "link": as it was written
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


def read_link(table: Table | None) -> Link:
    if table is None:
        return Link()
    values = {}
    for field in dataclasses.fields(Link):
        if field.name not in table:
            continue
        match field.name:
            case "delay" | "jitter" | "reorder_by":
                values[field.name] = table.duration(field.name)
            case "in_order" | "up":
                values[field.name] = table.flag(field.name)
            case "loss" | "reorder" | "duplicate" | "corrupt":
                values[field.name] = table.share(field.name)
            case "bursts":
                bursts = table.table("bursts")
                values["bursts"] = tuple(bursts.share(key, default) for key, default in
                                         (("enter", 0.0), ("leave", 1.0), ("loss", 1.0)))
                bursts.done()
            case "mtu":
                values["mtu"] = table.integer("mtu", low=68, high=9000)
            case _:
                values[field.name] = table.number(field.name, low=0)
    table.done()
    return Link(**values)


def read_plug(table: Table) -> Plug:
    addresses = [_address(table, a) for a in table.texts("addresses")]
    if not addresses:
        table.bad("addresses: needs at least one")
    plug = Plug(table.text("segment"), addresses, read_link(table.table("link", optional=True)))
    table.done()
    return plug


def _address(table: Table, text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        table.bad(f"{text!r} is no address")


def _name(table: Table) -> str:
    name = table.text("name")
    if not NAME.fullmatch(name):
        table.bad(f"{name!r} is no name: letters, digits, ., _ and -")
    return name


def read_nat(table: Table | None) -> Nat | None:
    if table is None:
        return None
    nat = Nat(mapping=table.word("mapping", MAPPINGS, "endpoint-independent"),
              filtering=table.word("filtering", MAPPINGS, "address-and-port-dependent"),
              ports=table.word("ports", PORTS, "preserving"), step=table.integer("step", 1, low=-1000, high=1000),
              first_port=table.integer("first_port", 1024, low=1, high=65535),
              last_port=table.integer("last_port", 65535, low=1, high=65535),
              pooling=table.word("pooling", POOLING, "paired"), hairpin=table.word("hairpin", HAIRPIN, "external-source"),
              timeout=table.duration("timeout", 120.0), inbound_refreshes=table.flag("inbound_refreshes", False),
              max_mappings=table.integer("max_mappings", 65536, low=1, high=1 << 20),
              input_accepts=table.flag("input_accepts", False))
    if nat.step == 0 or nat.first_port > nat.last_port:
        table.bad("step must not be 0, nor first_port above last_port")
    table.done()
    return nat


def read_firewall(table: Table | None) -> Firewall:
    table = table or Table("", {})
    made = Firewall(table.flag("stateful", False), table.duration("timeout", 30.0), table.flag("udp_blocked", False),
                    table.flag("tcp_blocked", False), table.integers("udp_ports"),
                    table.number("udp_rate_mbit", 0.0, low=0))
    table.done()
    return made


def read_port_mapper(table: Table | None) -> PortMapper:
    table = table or Table("", {})
    made = PortMapper(table.flag("nat_pmp", False), table.flag("pcp", False), table.flag("upnp", False),
                      table.flag("refuses", False), table.word("lie", LIES, "none"), table.duration("max_lifetime", 7200.0))
    table.done()
    return made


def read_router(table: Table) -> Router:
    made = Router(_name(table), read_plug(table.table("outer")), read_plug(table.table("inner")),
                  table.texts("behind", []), read_nat(table.table("nat", optional=True)),
                  read_firewall(table.table("firewall", optional=True)),
                  read_port_mapper(table.table("port_mapper", optional=True)))
    for prefix in made.behind:
        try:
            ipaddress.ip_network(prefix)
        except ValueError:
            table.bad(f"behind: {prefix!r} is no prefix")
    table.done()
    return made


def read_host(table: Table) -> Host:
    made = Host(_name(table), [read_plug(t) for t in table.tables_or_one("attach")], table.texts("peers", None),
                table.texts("hidden", []), table.flag("start", True), table.word("serves", ("stun",), None))
    if made.serves and made.peers is not None:
        table.bad("serves and peers exclude each other")
    if made.serves and not made.stun_addresses:
        table.bad("a STUN server for RFC 5780 needs two addresses of one family")
    if not set(made.hidden) <= set(made.peers or []):
        table.bad("hidden: names one that is not in peers")
    table.done()
    return made


def read_action(table: Table) -> Action:
    what = table.word("what", tuple(ACTIONS))
    made = Action(table.duration("at"), what, "")
    match what:
        case "link":
            made.target, made.to = table.text("from"), table.text("to")
            made.set = dict(table.raw("set"))
            made.link = read_link(table.table("set"))
            made.both = table.flag("both", True)
        case "reboot":
            made.target, made.lasts = table.text("router"), table.duration("for", 0.0)
        case "addresses":
            made.target = table.text("router" if "router" in table else "host")
            made.addresses = [_address(table, a) for a in table.texts("addresses")]
        case "freeze":
            made.target, made.lasts = table.text("host"), table.duration("for")
        case _:
            made.target = table.text("host")
    table.done()
    return made


def read_expectation(table: Table, default_after) -> Expectation:
    """`default_after(by)`: from when on something is watched."""
    kinds = [kind for kind in ("connected", "disconnected", "rtt", "loss", "nat") if kind in table]
    if len(kinds) != 1:
        table.bad(f"needs exactly one of connected, disconnected, rtt, loss, nat; has {kinds or 'none'}")
    kind, by = kinds[0], "by" in table
    if by and kind not in ("connected", "disconnected"):
        table.bad(f"{kind} has no by")
    at = table.duration("by" if by else "at")
    after = table.duration("after", default_after(at)) if by else None
    made = Expectation(kind, ("", ""), at, after)
    match kind:
        case "connected" | "disconnected":
            made.pair = table.pair(kind)
        case "rtt":
            made.value, made.pair, made.within = table.duration("rtt"), table.pair("pair"), table.number("within", 0.1, low=0)
        case "loss":
            made.value, made.pair, made.within = table.share("loss"), table.pair("pair"), table.number("within", 0.03, low=0)
        case "nat":
            made.pair = (table.text("behind"), table.text("server"))
            if isinstance(table.raw("nat"), str):
                made.nat = table.word("nat", NO_NAT)
            else:
                nat = table.table("nat")
                made.nat = {key: nat.word(key, MAPPINGS) for key in ("mapping", "filtering") if key in nat}
                nat.done()
    table.done()
    return made


def load(file: pathlib.Path | str) -> Scenario:
    try:
        return parse(pathlib.Path(file).read_text(), pathlib.Path(file))
    except OSError as error:
        raise Bad(str(error)) from error


def parse(text: str, file: pathlib.Path = pathlib.Path("scenario.toml")) -> Scenario:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Bad(f"{file.name}: {error}") from error
    table = Table(file.name, data)
    made = Scenario(file, table.text("about"), {}, {}, {}, [], [])
    taken: set[str] = set()

    def add(kind: str, into: dict, read) -> None:
        for entry in table.tables(kind):
            one = read(entry)
            if one.name in taken:
                entry.bad(f"the name {one.name!r} is taken")
            taken.add(one.name)
            into[one.name] = one

    def read_segment(entry: Table) -> Segment:
        one = Segment(_name(entry), read_link(entry.table("link", optional=True)), entry.integer("hops", 0, low=0, high=64))
        entry.done()
        return one

    add("segment", made.segments, read_segment)
    add("router", made.routers, read_router)
    add("host", made.hosts, read_host)
    made.actions = sorted((read_action(t) for t in table.tables("do")), key=lambda a: a.at)

    def last_action_before(by: float) -> float:
        return max([action.at for action in made.actions if action.at < by], default=0.0)

    made.expectations = [read_expectation(t, last_action_before) for t in table.tables("expect")]
    table.done()
    _check_names(made)
    return made


def _check_names(made: Scenario) -> None:
    def known(name: str, among: dict, where: str) -> None:
        if name not in among:
            raise Bad(f"{made.file.name}: {where}: unknown name {name!r}")

    for name, plug in made.plugs():
        known(plug.segment, made.segments, name)
    for host in made.hosts.values():
        for peer in host.peers or []:
            known(peer, made.hosts, f"peers of {host.name}")
            if made.hosts[peer].peers is None:
                raise Bad(f"{made.file.name}: peers of {host.name}: {peer} runs no daemon")
    for action in made.actions:
        devices = {**made.routers, **made.hosts}
        among = made.routers if action.what == "reboot" else devices if action.what in ("link", "addresses") else made.hosts
        known(action.target, among, f"do {action.what}")
        if action.what == "link":
            known(action.to, devices, "do link")
            plugged = {name: {p.segment for n, p in made.plugs() if n == name} for name in (action.target, action.to)}
            if len(plugged[action.target] & plugged[action.to]) != 1:
                raise Bad(f"{made.file.name}: do link: {action.target} and {action.to} have no one segment in common")
    for expectation in made.expectations:
        for name in expectation.pair:
            known(name, made.hosts, f"expect {expectation.what}")
        if expectation.what == "nat" and made.hosts[expectation.pair[1]].serves != "stun":
            raise Bad(f"{made.file.name}: expect nat: {expectation.pair[1]} serves no STUN")
    owners: dict[str, str] = {}
    for name, plug in made.plugs():
        for address in plug.addresses:
            if address in owners:
                raise Bad(f"{made.file.name}: {address} is both {owners[address]}'s and {name}'s")
            owners[address] = name


__all__ = ["Bad", "Link", "Scenario", "duration", "load"]
