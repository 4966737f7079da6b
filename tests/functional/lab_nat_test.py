"""An outsider (coturn's turnutils_natdiscovery) finds the laboratory's kernel NATs to be exactly what was declared."""
import lab
lab.enter("nft", "conntrack", "turnserver", "turnutils_natdiscovery")

import contextlib
import itertools
import unittest

from lab import coturn, sketch
from lab.internet import Internet
from lab.scenario import MAPPINGS, PORTS

SELF_ANSWERED = "Received a request (maybe a successful hairpinning)"
KINDS = [{"mapping": m, "filtering": f, "ports": p} for m, f, p in itertools.product(MAPPINGS, MAPPINGS, PORTS)]
REFRESHED = [{"mapping": m, "filtering": f, "input_accepts": accepts, "inbound_refreshes": not accepts}
             for m, f, accepts in itertools.product(MAPPINGS[::2], MAPPINGS, (True, False))]
HAIRPINS = [{"filtering": MAPPINGS[0], "hairpin": hairpin} for hairpin in ("none", "external-source")]


def found_as(nat: dict) -> dict:
    return {"nat": "translated", "mapping": nat["mapping"], "filtering": nat["filtering"]}


class Laboratory:
    """Routers of a sketch, and coturn's server outside."""

    def __init__(self, cleanup: contextlib.ExitStack, routers: list[dict], **options):
        self.net = Internet(sketch.behind(routers, **options), "kernel")
        cleanup.callback(self.net.close)
        cleanup.callback(coturn.Server(self.net.hosts["public"], [sketch.PUBLIC, sketch.OTHER]).close)

    def ask(self, n: int, *options: str) -> coturn.Discovery:
        return coturn.Discovery(self.net.hosts[f"h{n}"], sketch.inner(n), sketch.PUBLIC, *options)


class Alone(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """All are asked at the same time: mostly it waits for answers that must not come."""
        cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cleanup.close)
        routers = [{"nat": nat} for nat in (*KINDS, *REFRESHED, *HAIRPINS)]
        cls.mislabelled = len(routers)
        routers.append({"nat": {"mapping": MAPPINGS[0], "filtering": MAPPINGS[0]}})
        cls.others = len(routers)
        routers += [{"behind": [f"192.168.{cls.others}.0/24"]},
                    {"behind": [f"192.168.{cls.others + 1}.0/24"], "firewall": {"stateful": True}},
                    {"nat": {}, "firewall": {"udp_blocked": True}}]
        laboratory = Laboratory(cleanup, routers)
        wrong = laboratory.net.routers[f"r{cls.mislabelled}"]
        wrong.router.nat.mapping, wrong.router.nat.filtering = MAPPINGS[2], MAPPINGS[1]
        wrong.start()
        cls.asked = [laboratory.ask(n) for n in range(len(routers))]
        first_hairpin = len(KINDS) + len(REFRESHED)
        cls.hairpins = [laboratory.ask(first_hairpin + n, "-H") for n in range(len(HAIRPINS))]

    def test_each_mapping_filtering_and_allocation_is_found_as_declared(self):
        for nat, asked in zip(KINDS, self.asked):
            with self.subTest(**nat):
                self.assertEqual(asked.verdict(), found_as(nat))

    def test_what_keeps_a_mapping_alive_and_what_the_router_accepts_change_no_kind(self):
        for nat, asked in zip(REFRESHED, self.asked[len(KINDS):]):
            with self.subTest(**nat):
                self.assertEqual(asked.verdict(), found_as(nat))

    def test_a_nat_that_is_not_what_it_says_is_caught(self):
        found = self.asked[self.mislabelled].verdict()
        self.assertEqual(found, found_as({"mapping": MAPPINGS[2], "filtering": MAPPINGS[1]}))

    def test_hairpin_is_found_where_it_is(self):
        for nat, asked in zip(HAIRPINS, self.hairpins):
            with self.subTest(**nat):
                self.assertEqual(SELF_ANSWERED in asked.said(), nat["hairpin"] != "none")

    def test_routers_without_translation_are_found_to_translate_nothing(self):
        self.assertEqual(self.asked[self.others].verdict(), {"nat": "none", "mapping": MAPPINGS[0], "filtering": MAPPINGS[0]})
        self.assertEqual(self.asked[self.others + 1].verdict(), {"nat": "none", "mapping": MAPPINGS[0], "filtering": MAPPINGS[2]})

    def test_without_udp_nothing_is_found(self):
        self.assertEqual(self.asked[self.others + 2].verdict(), {"nat": "udp-blocked"})


class BehindACarrier(unittest.TestCase):
    def test_the_stricter_of_the_two_is_found(self):
        homes = [{"mapping": m, "filtering": f} for m, f in itertools.product(MAPPINGS, MAPPINGS)]
        carrier = {"mapping": MAPPINGS[1], "filtering": MAPPINGS[1], "ports": "random"}
        with contextlib.ExitStack() as cleanup:
            laboratory = Laboratory(cleanup, [{"nat": home} for home in homes], carrier={"nat": carrier})
            for home, asked in zip(homes, [laboratory.ask(n) for n in range(len(homes))]):
                with self.subTest(**home):
                    self.assertEqual(asked.verdict(), found_as(
                        {key: max(home[key], carrier[key], key=MAPPINGS.index) for key in ("mapping", "filtering")}))


if __name__ == "__main__":
    lab.main()
