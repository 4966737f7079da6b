"""Real daemons behind every kind of kernel NAT meet as lab/pairs.py says: by what they tell, by what their metrics count, and
by the packets that their kernels see."""
import lab
lab.enter("nft", "conntrack", "miniupnpd", "openssl")

import collections
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import unittest

from lab import pairs

RUN = pathlib.Path(__file__).resolve().parent / "run_pair.py"
AT_ONCE = 6           # they mostly wait
CONNECTED_WITHIN = 3  # seconds from the start of both daemons
# To the other's addresses, until it stands. ADR 0010 has 98 a minute for each, and there are two: one inside, one outside; and a
# search, where there is one: nat::Punch::kMaxPackets.
MOST_PACKETS = 2 * 98
MOST_OF_SEARCH = 2400
LABELS = {"nat_attempts_total": ("attempts", ("trigger",)),
          "nat_results_total": ("ended", ("result", "method", "failure")),
          "nat_traversal_by_type_total": ("ended", ("family", "local_nat", "remote_nat", "result"))}


def meet(number: int) -> dict:
    """In a laboratory of its own."""
    done = subprocess.run([sys.executable, "-B", RUN, str(number)], capture_output=True, text=True, check=False,
                          preexec_fn=lab.die_with_parent)
    return json.loads(done.stdout) if done.returncode == 0 else {"broken": done.stderr}


class Pairs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            order = sorted(range(len(pairs.ROWS)), key=lambda n: -pairs.ROWS[n].within)  # the longest first
            found = dict(zip(order, pool.map(meet, order)))
        cls.seen = [(row, found[n]) for n, row in enumerate(pairs.ROWS)]
        print(f"\n{'pair':58} {'outcome':12} {'connected':>9} {'direct':>7} {'sent to it':>10}")
        for row, seen in cls.seen:
            if "told" in seen:
                latest = [max((told[key] or 0 for told in seen["told"])) or "" for key in ("connected_s", "direct_s")]
                print(f"{row.name:58} {row.outcome:12} {latest[0]:>9} {latest[1]:>7} {' / '.join(map(str, seen['sent'])):>10}")

    def each(self, judge) -> None:
        """judge(row, what was seen, and of both ends: its place, the other's, its path, what it told)."""
        for row, seen in self.seen:
            with self.subTest(row.name):
                self.assertNotIn("broken", seen, seen.get("broken"))
                judge(row, seen, [(*places, path, told) for places, path, told
                                  in zip((row.places, row.places[::-1]), row.paths, seen["told"])])

    def test_each_comes_to_what_its_nats_allow_and_says_so(self):
        def judge(row, seen, ends):
            self.assertTrue(seen["stands"], f"not {row.outcome} within {row.within} s: {seen}")
            self.assertEqual(seen["problems"], [])
            for here, there, path, told in ends:
                self.assertEqual(told["path"], path)
                self.assertLess(told["connected_s"], CONNECTED_WITHIN)
                if row.outcome != "mapped":
                    self.assertEqual(bool(told["attempts"]), row.outcome != "open", "attempts are told where they are needed")
                for attempt in told["attempts"]:  # often it is done before it is known what the NATs are
                    self.assertIn(attempt["local_nat"], ("unknown", here.type))
                    self.assertIn(attempt["remote_nat"], ("unknown", there.type))
                if row.outcome in pairs.RELAYED:
                    self.assertEqual((attempt["local_nat"], attempt["remote_nat"]), (here.type, there.type))

        self.each(judge)

    def test_what_each_finds_of_its_nats_is_what_they_are(self):
        def judge(row, seen, ends):
            self.assertTrue(seen["measured"])
            for here, _, _, told in ends:
                self.assertLessEqual(here.behaviour.items(), told["behaviour"].items())
                mapper = (here.home or {}).get("port_mapper", {})
                states = {p["protocol"]: p["state"] for p in told["port_mapping"]["protocols"]}
                mapped = told["port_mapping"]["mapped"]
                if here.name.endswith("refused"):
                    self.assertIsNone(mapped)
                    self.assertLessEqual(set(states.values()), {"refused", "failed"})
                elif mapper:
                    self.assertEqual(mapped["protocol"], "pcp" if "pcp" in mapper else "upnp")
                else:
                    self.assertIsNone(mapped)
                    self.assertEqual(set(states.values()), {"unavailable"})

        self.each(judge)

    def test_a_mapped_port_is_where_the_other_end_sends(self):
        def judge(row, seen, ends):
            mapped, other = (told for *_, told in ends)
            if row.outcome == "mapped":
                self.assertEqual(other["remote"], mapped["port_mapping"]["mapped"]["external"])

        self.each(judge)

    def test_packets_go_where_it_says(self):
        def judge(row, seen, _):
            talk = seen["talk"]
            self.assertLess(max(seen["sent"]), MOST_PACKETS + (MOST_OF_SEARCH if row.outcome in pairs.LOOKED_FOR else 0))
            self.assertEqual(talk["answered"], talk["pings"])
            for whence, direct, by_server, piped in zip(row.met_at[::-1], talk["direct"], talk["by_server"], row.by_websocket):
                if row.direct:
                    self.assertEqual(list(direct), [whence])
                    self.assertGreaterEqual(direct[whence], talk["pings"])
                    self.assertLess(sum(by_server.values()), talk["pings"] / 2)
                else:
                    self.assertEqual(direct, {})
                    way, other = ("tcp", "udp") if piped else ("udp", "tcp")
                    self.assertGreaterEqual(by_server[way], talk["pings"])
                    self.assertEqual(by_server[other], 0)

        self.each(judge)

    def test_metrics_count_what_was_told(self):
        def judge(row, seen, ends):
            for _, _, path, told in ends:
                for name, (events, labels) in LABELS.items():
                    counted = {tuple(found[label] for label in labels): value for found, value in told["metrics"][name]}
                    self.assertEqual(counted, collections.Counter(tuple(e[label] for label in labels) for e in told[events]))
                self.assertEqual(told["metrics"]["p2p_peers_by_path"], [[{"path": path}, 1]])

        self.each(judge)


if __name__ == "__main__":
    lab.main()
