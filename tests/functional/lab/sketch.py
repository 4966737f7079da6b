"""A usual internet for tests: a public host, and NATs with two hosts behind each."""
from . import load, scenario

PUBLIC, OTHER = "11.0.0.1", "11.0.0.2"  # of the host "public"


def outer(n: int, carrier: bool = False) -> str:
    """The address of router rN."""
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


def behind(routers: list[dict], carrier: dict | None = None, link: dict | None = None) -> scenario.Scenario:
    """`routers`: of each its further keys (nat, firewall); `carrier`: a router that all of them are behind. rN has hN and gN
    behind it; the carrier's is "cgn" at 11.0.1.1."""
    street = "street" if carrier else "internet"
    parts = ['about = "sketch"', "expect = []", table("segment", name="internet", link=link or {}),
             table("host", name="public", serves="stun", attach={"segment": "internet", "addresses": [PUBLIC, OTHER]})]
    if carrier:
        parts += [table("segment", name="street"),
                  table("router", name="cgn", outer={"segment": "internet", "addresses": ["11.0.1.1"]},
                        inner={"segment": "street", "addresses": ["100.64.1.1"]}, **carrier)]
    for n, router in enumerate(routers):
        pool = router.get("pool", [outer(n, carrier is not None)])
        further = {key: value for key, value in router.items() if key != "pool"}
        parts += [table("segment", name=f"lan{n}"),
                  table("router", name=f"r{n}", outer={"segment": street, "addresses": pool},
                        inner={"segment": f"lan{n}", "addresses": [f"192.168.{n}.1"]}, **further)]
        parts += [table("host", name=f"{name}{n}", attach={"segment": f"lan{n}", "addresses": [inner(n, number)]})
                  for number, name in enumerate("hg")]
    return load.parse("\n".join(parts))
