"""The command for people says what the daemon says, and its exit status tells good news from bad."""
import lab
lab.enter()

import json
import tomllib

import harness
from node import wait_for


class Command(harness.MeshTest):
    def setUp(self):
        super().setUp()
        self.a, self.b = self.mesh("a", "b")

    def good(self, *arguments):
        done = self.a.command(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_status_and_peers(self):
        wait_for("measured", lambda: self.a.peer(self.b)["rtt_ms"], 10)
        table = self.good("status")
        self.assertIn("b", table)
        self.assertIn("direct", table)
        self.assertNotIn("\x1b", table, "no colour where no terminal is")
        json.loads(self.good("status", "--json"))
        self.assertIn(self.b.id, self.good("peers", "b"))
        self.assertIn(self.b.id, self.good("peers", self.b.id[:8], "--json"))

    def test_ping(self):
        self.assertIn("ms", self.good("ping", "b", "-c", "3", "-i", "100ms"))

    def test_disconnect_stays_away_and_connect_comes_back(self):
        self.good("disconnect", "b")
        wait_for("gone", lambda: self.a.state_of(self.b) != "connected", 5)
        bad_news = self.a.command("ping", "b", "-c", "1")
        self.assertEqual(bad_news.returncode, 1, bad_news.stdout + bad_news.stderr)
        self.good("connect", "b")
        wait_for("back", lambda: self.a.state_of(self.b) == "connected", 10)

    def test_exported_peer_is_configuration(self):
        exported = tomllib.loads(self.good("export-peer"))
        self.assertEqual(exported["peer"][0]["id"], self.a.id)

    def test_reload_reports_mistakes(self):
        self.good("reload")
        self.a.config["mesh"] = {"max_sesions": 5}
        self.a.write_config()
        bad = self.a.command("reload")
        self.assertIn(bad.returncode, (1, 2))
        self.assertIn("max_sesions", bad.stdout + bad.stderr)

    def test_wrong_use_is_2_and_nobody_there_is_3(self):
        self.assertEqual(self.a.command("no-such-verb").returncode, 2)
        self.assertEqual(self.a.command("ping").returncode, 2)
        self.assertEqual(self.a.command("ping", "nobody-of-that-name").returncode, 1)
        self.a.stop()
        self.expected_dead.add(self.a)
        self.assertEqual(self.a.command("status").returncode, 3)


if __name__ == "__main__":
    harness.main()
