"""Which pairs of places are to meet in the laboratory, and as what: lab_pairs_test.py holds each row to what is seen.

A place is named by what a daemon there should find, in the words of the label local_nat of nat_traversal_by_type_total.
"""
import dataclasses

from . import scenario, sketch
from .scenario import MAPPINGS

INDEPENDENT, BY_ADDRESS, BY_PORT = MAPPINGS


@dataclasses.dataclass(frozen=True)
class Place:
    """A home of a sketch; None: none, the host stands in the internet."""
    name: str
    type: str
    home: dict | None

    @property
    def nats(self) -> list[dict]:
        """From inside to outside; without a NAT none."""
        home = self.home or {}
        return [router["nat"] for router in (home, home.get("beyond", {})) if "nat" in router]

    def strictest(self, what: str, default: str) -> str | None:
        """Of its NATs."""
        return max((nat.get(what, default) for nat in self.nats), key=MAPPINGS.index, default=None)

    @property
    def behaviour(self) -> dict:
        """What GET /api/v1/nat should tell of it."""
        if self.type == "udp_blocked":
            return {"udp": False, "mapping": None, "filtering": None}
        allocation = {nat.get("ports", "preserving") for nat in self.nats}
        words = {"mapping": self.strictest("mapping", INDEPENDENT) or "none",
                 "filtering": self.strictest("filtering", BY_PORT) or INDEPENDENT}
        return {"udp": True, **{key: word.replace("-", "_") for key, word in words.items()}} | \
            ({"allocation": allocation.pop()} if len(allocation) == 1 else {})


RANDOM = {"mapping": BY_PORT, "ports": "random"}
PLACES = {place.name: place for place in (
    Place("public", "none", None),
    Place("full cone", "full_cone", {"nat": {"filtering": INDEPENDENT}}),
    Place("restricted cone", "restricted_cone", {"nat": {"filtering": BY_ADDRESS}}),
    Place("port-restricted", "port_restricted", {"nat": {}}),
    Place("port-restricted, random", "port_restricted", {"nat": {"ports": "random"}}),
    # Its kernel takes what comes too early for its own; openers die one hop farther.
    Place("accepting INPUT", "port_restricted", {"nat": {"input_accepts": True}, "beyond": {}}),
    Place("behind a carrier", "port_restricted", {"nat": {}, "beyond": {"nat": {}}}),
    Place("by address", "address_dependent", {"nat": {"mapping": BY_ADDRESS, "ports": "random"}}),
    Place("by address, open", "address_dependent",
          {"nat": {"mapping": BY_ADDRESS, "filtering": BY_ADDRESS, "ports": "random"}}),
    Place("symmetric, in steps", "symmetric_predictable",
          {"nat": {"mapping": BY_PORT, "ports": "sequential", "first_port": 20000}}),
    Place("symmetric", "symmetric", {"nat": RANDOM}),
    Place("symmetric, PCP", "symmetric", {"nat": RANDOM, "port_mapper": {"nat_pmp": True, "pcp": True}}),
    Place("symmetric, UPnP", "symmetric", {"nat": RANDOM, "port_mapper": {"upnp": True}}),
    Place("symmetric, refused", "symmetric",
          {"nat": RANDOM, "port_mapper": {"nat_pmp": True, "pcp": True, "upnp": True}, "beyond": {"nat": {}}}),
    Place("UDP blocked", "udp_blocked", {"nat": {}, "firewall": {"udp_blocked": True}}))}


WITHOUT_METHOD = ("open", "mapped")
RELAYED = ("infeasible", "timeout")
LOOKED_FOR = ("prediction", "birthday")


@dataclasses.dataclass(frozen=True)
class Row:
    """`outcome`: the method by which they come to be direct; "open" where none was needed, "mapped" where a mapped port is
    there sooner or later; why they stay on the relay, as nat_results_total tells a failure.
    `within`: seconds from the start of both daemons until it stands."""
    one: str
    other: str
    outcome: str
    within: float
    carrier: dict | None = None                        # of both
    hosts: tuple[str, str] = ("h0", "h1")
    met_at: tuple[str, str] = (sketch.outer(0), sketch.outer(1))  # where each is seen by the other, if they are direct
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.one} / {self.other}" + (f" ({self.note})" if self.note else "")

    @property
    def places(self) -> tuple[Place, Place]:
        return PLACES[self.one], PLACES[self.other]

    @property
    def direct(self) -> bool:
        return self.outcome not in RELAYED

    @property
    def by_websocket(self) -> tuple[bool, bool]:
        """Which of them reaches the server by WebSocket alone."""
        return tuple(place.type == "udp_blocked" for place in self.places)

    @property
    def paths(self) -> tuple[str, str]:
        """As each end should tell it, of which the relayed ones are named by its own way to the relay."""
        return tuple("direct_v4" if self.direct else "relay_websocket" if piped else "relay_quic" for piped in self.by_websocket)

    def scenario(self) -> scenario.Scenario:
        return sketch.behind([place.home for place in self.places], carrier=self.carrier)


SAME_CARRIER = ("11.0.1.1", "11.0.1.1")
ROWS = [
    Row("public", "public", "open", 5),
    Row("public", "symmetric", "open", 5),
    Row("full cone", "symmetric", "punch", 5),
    Row("restricted cone", "symmetric", "punch", 5),
    Row("restricted cone", "symmetric, in steps", "punch", 5),
    Row("port-restricted", "port-restricted", "punch", 5),
    Row("port-restricted", "port-restricted, random", "punch", 5),
    Row("accepting INPUT", "accepting INPUT", "punch", 5),
    Row("accepting INPUT", "port-restricted", "punch", 5),
    Row("behind a carrier", "port-restricted", "punch", 5),
    Row("behind a carrier", "behind a carrier", "punch", 5),
    Row("port-restricted", "port-restricted", "punch", 5, carrier={"nat": {}}, met_at=SAME_CARRIER, note="one carrier"),
    Row("port-restricted", "port-restricted", "timeout", 15, carrier={"nat": {"hairpin": "none"}}, note="one carrier, no hairpin"),
    Row("symmetric", "symmetric", "open", 5, hosts=("h0", "g0"), met_at=(sketch.inner(0), sketch.inner(0, 1)), note="one network"),
    # What only prediction or a search lead through.
    Row("port-restricted", "symmetric, in steps", "prediction", 15),
    Row("symmetric, in steps", "symmetric, in steps", "prediction", 15),
    Row("port-restricted", "symmetric", "birthday", 30),
    Row("behind a carrier", "symmetric", "birthday", 30),
    Row("port-restricted", "by address", "birthday", 30),
    Row("by address, open", "by address, open", "birthday", 30),
    # What nothing leads through.
    Row("symmetric", "symmetric", "infeasible", 15),
    Row("by address", "by address", "infeasible", 15),
    Row("symmetric", "symmetric, in steps", "infeasible", 15),
    Row("symmetric, PCP", "symmetric", "mapped", 15),
    Row("symmetric, UPnP", "symmetric", "mapped", 40),
    Row("symmetric, refused", "symmetric", "infeasible", 15),
    Row("UDP blocked", "public", "infeasible", 15),
    Row("UDP blocked", "port-restricted", "infeasible", 15),
    Row("UDP blocked", "UDP blocked", "infeasible", 15),
]
