"""What packets between real hosts meet, is what the scenario declared: lab_wire carries the simulator's own network.

Bounds: counts of random events within four standard deviations of what was declared (false alarms: one in 16,000), times
within LATE of it: other programs run on the same machine, and their turn comes first.
"""
import lab
lab.enter()

import contextlib
import math
import os
import statistics
import unittest

from carried import HEADERS, PORT, Carried, one_way, round_trips
from lab import wire

LATE = 3.0 * (3 if os.environ.get("PEERWATCH_SANITIZED") else 1)  # milliseconds

PAIR = """
about = "Two hosts on one segment"
expect = []
[[segment]]
name = "internet"
link = {delay = "10ms"}
[[host]]
name = "a"
attach = {segment = "internet", addresses = ["11.0.0.1", "2001:db8::1"], link = {delay = "3ms"}}
[[host]]
name = "b"
attach = {segment = "internet", addresses = ["11.0.0.2", "2001:db8::2"]}
[[do]]
at = "500ms"
what = "link"
from = "a"
to = "b"
set = {up = false}
"""
A, B = "11.0.0.1", "11.0.0.2"
ACCESS = 3.0  # milliseconds, each way at a


class OfPair(unittest.TestCase):
    """Two hosts, conditions from a to b set by each test."""

    @classmethod
    def setUpClass(cls):
        wire.needed()
        cleanup = contextlib.ExitStack()
        cls.addClassCleanup(cleanup.close)
        cls.carried = Carried(cleanup, PAIR)

    def setUp(self):
        self.carried.link("a", "b", both=True)  # as the segment has it
        self.sender = self.carried.socket("a", A)
        self.addCleanup(self.sender.close)
        self.receiver = self.carried.socket("b", B, PORT)
        self.addCleanup(self.receiver.close)

    def set(self, **conditions):
        self.carried.link("a", "b", **conditions)

    def one_way(self, count, **options):
        return one_way(self.sender, self.receiver, (B, PORT), count, **options)

    def is_share(self, count, of, probability, spread=1.0):
        """`spread`: by how much the events come more in clusters than independent ones."""
        deviation = math.sqrt(of * probability * (1 - probability)) * spread
        self.assertLessEqual(abs(count - of * probability), 4 * deviation + 1,
                             f"{count} of {of}, declared {probability}")


class Links(OfPair):
    def test_round_trip_is_the_sum_of_the_delays_there_and_back(self):
        for there, back in ((10, 10), (0, 0), (50, 0), (5, 120)):
            with self.subTest(there=there, back=back):
                self.carried.link("a", "b", delay=f"{there}ms")
                self.carried.link("b", "a", delay=f"{back}ms")
                median = statistics.median(round_trips(self.sender, self.receiver, (B, PORT), 21))
                self.assertAlmostEqual(median, there + back + 2 * ACCESS, delta=LATE)

    def test_delays_hold_for_both_families(self):
        asking, answering = self.carried.socket("a", "2001:db8::1"), self.carried.socket("b", "2001:db8::2", PORT)
        self.addCleanup(asking.close)
        self.addCleanup(answering.close)
        median = statistics.median(round_trips(asking, answering, ("2001:db8::2", PORT), 21))
        self.assertAlmostEqual(median, 2 * (10 + ACCESS), delta=LATE)

    def test_loss_is_as_declared_and_of_one_direction_only(self):
        for loss in (0.02, 0.3):
            with self.subTest(loss=loss):
                self.set(loss=loss)
                self.is_share(2000 - len(self.one_way(2000)), 2000, loss)
        back = one_way(self.receiver, self.sender, self.sender.getsockname(), 500)
        self.assertEqual(len(back), 500)

    def test_lost_packets_come_in_bursts_of_the_declared_length(self):
        enter, leave, count = 0.02, 0.2, 4000
        self.set(bursts={"enter": enter, "leave": leave, "loss": 1.0})
        numbers = sorted(arrival.number for arrival in self.one_way(count, every=0.0005))
        gaps = [b - a - 1 for a, b in zip([-1, *numbers], numbers) if b - a > 1]
        memory = 1 - enter - leave
        self.is_share(sum(gaps), count, enter / (enter + leave), math.sqrt((1 + memory) / (1 - memory)))
        deviation = math.sqrt(1 - leave) / leave / math.sqrt(len(gaps))
        self.assertLessEqual(abs(statistics.mean(gaps) - 1 / leave), 4 * deviation)

    def test_jitter_is_uniform_on_top_of_the_delay_and_lets_packets_overtake(self):
        self.set(delay="5ms", jitter="20ms")
        arrivals = self.one_way(1500)
        delays = sorted(arrival.delay - ACCESS for arrival in arrivals)
        self.assertEqual(len(delays), 1500)
        self.assertGreaterEqual(delays[0], 4.9)
        # Single packets are as late as other programs let lab_wire be; it says itself how late that was.
        latest = self.carried.counted()["ports"]["b:internet"]["latest_ms"]
        self.assertLessEqual(delays[-1], 25 + LATE + latest)
        for share in (0.25, 0.5, 0.75, 0.9):  # deviation of a quantile: below 0.26 ms
            self.assertAlmostEqual(delays[int(share * len(delays))], 5 + 20 * share, delta=1.1 + LATE / 2)
        self.assertNotEqual([a.number for a in arrivals], list(range(1500)))

    def test_in_order_no_packet_overtakes_another(self):
        self.set(jitter="20ms", in_order=True)
        self.assertEqual([a.number for a in self.one_way(1000)], list(range(1000)))

    def test_reordered_packets_are_held_back_as_long_as_declared(self):
        self.set(delay="2ms", reorder=0.1, reorder_by="30ms")
        arrivals = self.one_way(1500)
        held = [a.delay for a in arrivals if a.delay > ACCESS + 2 + 15]
        self.is_share(len(held), 1500, 0.1)
        self.assertAlmostEqual(statistics.median(held), ACCESS + 32, delta=LATE)
        overtaken = sum(after.number < before.number for before, after in zip(arrivals, arrivals[1:]))
        self.assertGreater(overtaken, 50)

    def test_duplicates_are_as_many_as_declared(self):
        self.set(duplicate=0.15)
        numbers = [arrival.number for arrival in self.one_way(2000)]
        self.assertEqual(set(numbers), set(range(2000)))
        self.is_share(len(numbers) - 2000, 2000, 0.15)

    def test_corrupted_packets_pass_the_checksum(self):
        self.set(corrupt=0.2)
        arrivals = self.one_way(1500)
        self.assertEqual(len(arrivals), 1500)
        self.is_share(sum(not arrival.intact for arrival in arrivals), 1500, 0.2)

    def test_rate_is_as_declared_whatever_is_sent(self):
        for mbit in (2, 20):
            with self.subTest(mbit=mbit):
                self.set(rate_mbit=mbit, queue_kib=64)
                packet = 1200 + HEADERS
                every = packet * 8 / (2 * mbit * 1e6)  # twice as much as fits
                arrivals = self.one_way(int(1 / every), every=every, size=1200)
                took = arrivals[-1].at - arrivals[0].at
                self.assertAlmostEqual((len(arrivals) - 1) * packet * 8 / took / 1e6, mbit, delta=0.04 * mbit)
                longest = ACCESS + 64 * 1024 * 8 / (mbit * 1e3)  # the queue, full
                self.assertLessEqual(max(a.delay for a in arrivals), longest + 10 * LATE)
                self.assertGreaterEqual(max(a.delay for a in arrivals), longest * 0.9)

    def test_what_does_not_fit_a_queue_is_dropped_at_its_tail(self):
        self.set(rate_mbit=1, queue_kib=10)
        numbers = [arrival.number for arrival in self.one_way(40, every=0, size=1000 - HEADERS)]
        self.assertEqual(numbers[:10], list(range(10)))
        self.assertIn(len(numbers), (10, 11))

    def test_packets_above_the_mtu_vanish_silently(self):
        self.set(mtu=1300)
        self.assertEqual(len(self.one_way(20, size=1300 - HEADERS)), 20)
        self.assertEqual(len(self.one_way(20, size=1301 - HEADERS)), 0)

    def test_each_drop_is_counted_with_its_reason(self):
        before = self.carried.counted()["dropped"].get("internet", {})
        self.set(loss=0.5)
        lost = 200 - len(self.one_way(200))
        self.set(up=False)
        self.assertEqual(self.one_way(30), [])
        self.set(mtu=500)
        self.assertEqual(self.one_way(10, size=1000), [])
        after = self.carried.counted()["dropped"]["internet"]
        gained = {reason: after[reason] - before.get(reason, 0) for reason in ("lost", "link_down", "too_big")}
        self.assertEqual(gained, {"lost": lost, "link_down": 30, "too_big": 10})


class Commands(OfPair):
    def test_wrong_commands_are_answered_and_change_nothing(self):
        for line, words in (("nonsense", "JSON"), ('{"what": "link", "from": "a", "to": "c", "set": {}}', '"c"'),
                            ('{"what": "link", "from": "a", "to": "b", "set": {"loss": 2}}', "loss"),
                            ('{"what": "link", "from": "a", "to": "b", "set": {"los": 0.5}}', "los"),
                            ('{"what": "reboot", "router": "r"}', '"r"'), ('{"what": "kill", "host": "a"}', "a"),
                            ('{"what": null}', "what")):
            answer = self.carried.tell(line)
            self.assertTrue(answer.startswith("error ") and words in answer, f"{line}: {answer}")
        self.assertEqual(len(self.one_way(50)), 50)

    def test_an_unplugged_host_loses_its_carrier_and_is_found_again_when_plugged_in(self):
        self.carried.do(what="unplug", host="b")
        self.assertEqual(self.one_way(20), [])
        self.assertIn("NO-CARRIER", self.carried.net.hosts["b"].run("ip", "link", "show", "eth0"))
        self.carried.do(what="plug", host="b")
        self.assertEqual(len(self.one_way(20)), 20)

    def test_an_address_that_a_host_got_is_reached_and_its_old_one_is_not(self):
        self.carried.net.set_addresses("b", ["11.0.0.7", B])
        self.carried.do(what="addresses", host="b", addresses=["11.0.0.7"])
        arrivals = []
        with self.carried.socket("b", "0.0.0.0", PORT + 1) as receiver:
            for address in ("11.0.0.7", B):
                arrivals.append(len(one_way(self.sender, receiver, (address, PORT + 1), 20)))
        self.carried.do(what="addresses", host="b", addresses=[B, "2001:db8::2"])
        self.carried.net.set_addresses("b", [B, "2001:db8::2"])
        self.assertEqual(arrivals, [20, 0])

    def test_the_scenarios_own_changes_begin_with_start(self):
        self.assertEqual(self.carried.tell("start"), "ok")
        self.assertTrue(self.carried.tell("start").startswith("error"))
        numbers = [arrival.number for arrival in self.one_way(1000)]
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertTrue(450 <= len(numbers) <= 510, f"{len(numbers)}: the link went down 500 ms after the start")


if __name__ == "__main__":
    lab.main()
