"""A scenario file read into values (scenario.py). Whatever is unknown or out of place is an error that names it."""
import dataclasses
import ipaddress
import pathlib
import re
import tomllib

from .check import check
from .scenario import (Action, Expectation, Firewall, HAIRPIN, Host, LIES, Link, MAPPINGS, Nat, NO_NAT, Plug, POOLING, PORTS,
                       PortMapper, Router, Scenario, Segment)
from .tables import Bad, Table

ACTIONS = ("kill", "start", "stop", "freeze", "unplug", "plug", "link", "reboot", "addresses")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def read_link(table: Table | None) -> Link:
    return Link(**link_values(table)) if table else Link()


def parse_link(values: dict) -> Link:
    return read_link(Table("link", values))


def link_values(table: Table) -> dict:
    """What it names of a link."""
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
                values["mtu"] = table.integer("mtu", low=68, high=65535)
            case "queue_kib":
                values["queue_kib"] = table.integer("queue_kib", low=1)
            case _:
                values[field.name] = table.number(field.name, low=0)
    table.done()
    return values


def read_plug(table: Table) -> Plug:
    plug = Plug(table.text("segment"), _addresses(table), read_link(table.table("link", optional=True)))
    table.done()
    return plug


def _addresses(table: Table) -> list[str]:
    addresses = [_address(table, a) for a in table.texts("addresses")]
    if not addresses:
        table.bad("addresses: needs at least one")
    return addresses


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
              ports=table.word("ports", PORTS, "preserving"), step=table.integer("step", 1, low=-65535, high=65535),
              first_port=table.integer("first_port", 1024, low=1, high=65535),
              last_port=table.integer("last_port", 65535, low=1, high=65535),
              pooling=table.word("pooling", POOLING, "paired"), hairpin=table.word("hairpin", HAIRPIN, "external-source"),
              timeout=table.duration("timeout", 120.0, zero=False), inbound_refreshes=table.flag("inbound_refreshes", False),
              max_mappings=table.integer("max_mappings", 65536, low=1, high=1 << 20),
              input_accepts=table.flag("input_accepts", False))
    if nat.step == 0 or nat.first_port > nat.last_port:
        table.bad("step must not be 0, nor first_port above last_port")
    table.done()
    return nat


def read_firewall(table: Table | None) -> Firewall:
    table = table or Table("", {})
    made = Firewall(table.flag("stateful", False), table.duration("timeout", 30.0, zero=False), table.flag("udp_blocked", False),
                    table.flag("tcp_blocked", False), table.integers("udp_ports"),
                    table.number("udp_rate_mbit", 0.0, low=0))
    table.done()
    return made


def read_port_mapper(table: Table | None) -> PortMapper:
    table = table or Table("", {})
    made = PortMapper(table.flag("nat_pmp", False), table.flag("pcp", False), table.flag("upnp", False),
                      table.flag("refuses", False), table.word("lie", LIES, "none"), table.duration("max_lifetime", 7200.0, zero=False))
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
    if made.peers is None and (made.hidden or not made.start):
        table.bad("hidden and start are about a daemon, and without peers it runs no daemon")
    if made.name in (made.peers or []):
        table.bad("is its own peer")
    if made.serves and not made.stun_addresses:
        table.bad("a STUN server for RFC 5780 needs two addresses of one family")
    if not set(made.hidden) <= set(made.peers or []):
        table.bad("hidden: names one that is not in peers")
    table.done()
    return made


def read_action(table: Table) -> Action:
    what = table.word("what", ACTIONS)
    made = Action(table.duration("at"), what, "")
    match what:
        case "link":
            made.target, made.to = table.text("from"), table.text("to")
            made.set = link_values(table.table("set"))
            made.both = table.flag("both", True)
        case "reboot":
            made.target, made.lasts = table.text("router"), table.duration("for", 0.0)
        case "addresses":
            made.target = table.text("router" if "router" in table else "host")
            made.addresses = _addresses(table)
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
            made.value, made.pair, made.within = table.duration("rtt"), table.pair("pair"), table.share("within", 0.1)
        case "loss":
            made.value, made.pair, made.within = table.share("loss"), table.pair("pair"), table.share("within", 0.03)
        case "nat":
            made.pair = (table.text("behind"), table.text("server"))
            if isinstance(table.raw("nat"), str):
                made.nat = table.word("nat", NO_NAT)
            else:
                nat = table.table("nat")
                made.nat = {key: nat.word(key, MAPPINGS) for key in ("mapping", "filtering") if key in nat}
                nat.done()
                if not made.nat:
                    nat.bad("needs mapping, filtering or both")
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
    if "expect" not in table:
        table.bad("has no [[expect]]: it shows nothing")
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
    check(made)
    return made
