"""A usual internet for tests: a public host, and NATs with two hosts behind each."""
import pathlib

from . import load, scenario

PUBLIC, OTHER = "11.0.0.1", "11.0.0.2"  # of the host "public"


def outer(n: int, carrier: bool = False) -> str:
    """The address of router rN, or of hN in its place."""
    return f"100.64.0.{n + 10}" if carrier else f"11.0.1.{n + 10}"


def inner(n: int, host: int = 0) -> str:
    """Of hN (0) and gN (1)."""
    return f"192.168.{n}.{host + 2}"


def inline(values: dict) -> str:
    def text(value) -> str:
        return inline(value) if isinstance(value, dict) else str(value).lower() if isinstance(value, bool) else repr(value)
    return "{" + ", ".join(f"{key} = {text(value)}" for key, value in values.items()) + "}"


def table(kind: str, **values) -> str:
    return f"[[{kind}]]\n" + "\n".join(f"{key} = {inline({key: value})[len(key) + 4:-1]}" for key, value in values.items())


def behind(homes: list[dict | None], carrier: dict | None = None, link: dict | None = None,
           file: pathlib.Path | None = None) -> scenario.Scenario:
    """`homes`: of each its router's further keys (nat, firewall); rN has hN and gN behind it. None instead: hN stands in the
    internet itself. `carrier`: a router that all of them are behind; it is "cgn", at 11.0.1.1. `link`: of the internet; where
    lab_wire is to carry it, it is left in a `file`."""
    street = "street" if carrier else "internet"
    parts = ['about = "sketch"', "expect = []", table("segment", name="internet", link=link or {}),
             table("host", name="public", serves="stun", attach={"segment": "internet", "addresses": [PUBLIC, OTHER]})]
    if carrier:
        parts += [table("segment", name="street"),
                  table("router", name="cgn", outer={"segment": "internet", "addresses": ["11.0.1.1"]},
                        inner={"segment": "street", "addresses": ["100.64.1.1"]}, **carrier)]
    for n, router in enumerate(homes):
        if router is None:
            parts.append(table("host", name=f"h{n}", attach={"segment": street, "addresses": [outer(n)]}))
        else:
            parts += home(n, street, carrier is not None, **router)
    text = "\n".join(parts)
    if not file:
        return load.parse(text)
    file.write_text(text)
    return load.load(file)


def home(n: int, street: str, carried: bool, pool: list[str] | None = None, beyond: dict | None = None, **keys) -> list[str]:
    """`beyond`: one more router between rN and the street, pN: a carrier's, or without a NAT of its own just a hop."""
    parts = []
    if beyond is not None:
        translates = "nat" in beyond
        outside = outer(n) if translates else f"11.0.2.{n + 10}"
        parts = [table("segment", name=f"last-mile{n}"),
                 table("router", name=f"p{n}", outer={"segment": street, "addresses": [outside]},
                       inner={"segment": f"last-mile{n}", "addresses": [f"100.64.{n + 2}.1"]},
                       **({} if translates else {"behind": [f"{outer(n)}/32"]}), **beyond)]
        street, carried = f"last-mile{n}", carried or translates
    return parts + [
        table("segment", name=f"lan{n}"),
        table("router", name=f"r{n}", outer={"segment": street, "addresses": pool or [outer(n, carried)]},
              inner={"segment": f"lan{n}", "addresses": [f"192.168.{n}.1"]}, **keys),
        *(table("host", name=f"{name}{n}", attach={"segment": f"lan{n}", "addresses": [inner(n, number)]})
          for number, name in enumerate("hg"))]
