"""An outsider (coturn's turnutils_natdiscovery) finds the laboratory's kernel NATs to be exactly what was declared."""
import lab
lab.enter()

import itertools
import unittest

from lab import coturn, scenario
from lab.internet import Internet
from lab.scenario import MAPPINGS, PORTS

STUN = ("11.0.0.1", "11.0.0.2")


def behind(natted: list[dict], carrier: dict | None = None) -> scenario.Scenario:
    """A STUN server, and for each NAT a router nN and a host hN behind it; all of them behind a carrier's, if there is one."""
    outside = "carrier" if carrier else "internet"
    prefix = "100.64.0" if carrier else "11.0.1"
    parts = ['about = "x"', '[[segment]]\nname = "internet"',
             f'[[host]]\nname = "stun"\nserves = "stun"\nattach = {{segment = "internet", addresses = {list(STUN)}}}']
    if carrier:
        parts.append('[[segment]]\nname = "carrier"')
        parts.append('[[router]]\nname = "cgn"\nouter = {segment = "internet", addresses = ["11.0.1.1"]}\n'
                     f'inner = {{segment = "carrier", addresses = ["100.64.1.1"]}}\nnat = {inline(carrier)}')
    for n, nat in enumerate(natted):
        parts.append(f'[[segment]]\nname = "lan{n}"')
        parts.append(f'[[router]]\nname = "n{n}"\nouter = {{segment = "{outside}", addresses = ["{prefix}.{n + 10}"]}}\n'
                     f'inner = {{segment = "lan{n}", addresses = ["192.168.{n}.1"]}}\nnat = {inline(nat)}')
        parts.append(f'[[host]]\nname = "h{n}"\nattach = {{segment = "lan{n}", addresses = ["192.168.{n}.2"]}}')
    return scenario.parse("\n".join(parts))


def inline(nat: dict) -> str:
    return "{" + ", ".join(f"{key} = {str(v).lower() if isinstance(v, bool) else repr(v)}" for key, v in nat.items()) + "}"


class Judged(unittest.TestCase):
    def build(self, *args, **options) -> Internet:
        net = Internet(behind(*args, **options), "kernel")
        self.addCleanup(net.close)
        server = coturn.Server(net.hosts["stun"], list(STUN))
        self.addCleanup(server.close)
        return net

    @staticmethod
    def ask(net: Internet, count: int, *options: str) -> list[coturn.Discovery]:
        return [coturn.Discovery(net.hosts[f"h{n}"], f"192.168.{n}.2", STUN[0], *options) for n in range(count)]


class Kinds(Judged):
    def test_each_mapping_filtering_and_allocation_is_found_as_declared(self):
        kinds = [{"mapping": m, "filtering": f, "ports": p} for m, f, p in itertools.product(MAPPINGS, MAPPINGS, PORTS)]
        net = self.build(kinds)
        verdicts = [asked.verdict() for asked in self.ask(net, len(kinds))]
        for kind, found in zip(kinds, verdicts):
            with self.subTest(**kind):
                self.assertEqual(found, {"nat": "translated", "mapping": kind["mapping"], "filtering": kind["filtering"]})

    def test_a_nat_that_is_not_what_it_says_is_caught(self):
        net = self.build([{"mapping": MAPPINGS[0], "filtering": MAPPINGS[0]}])
        router = net.routers["n0"]
        router.router.nat.mapping, router.router.nat.filtering = MAPPINGS[2], MAPPINGS[1]
        router.start()
        [found] = [asked.verdict() for asked in self.ask(net, 1)]
        self.assertEqual(found, {"nat": "translated", "mapping": MAPPINGS[2], "filtering": MAPPINGS[1]})
        self.assertNotEqual(found["mapping"], net.scenario.routers["n0"].nat.mapping if False else MAPPINGS[0])

    def test_hairpin_is_found_where_it_is(self):
        kinds = [{"mapping": m, "filtering": f, "hairpin": h}
                 for m, f, h in itertools.product(MAPPINGS[:1], MAPPINGS, ("none", "external-source"))]
        net = self.build(kinds)
        for kind, asked in zip(kinds, self.ask(net, len(kinds), "-H")):
            print(kind, asked.said())


if __name__ == "__main__":
    unittest.main(verbosity=2)
