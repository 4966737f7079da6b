"""What can't work ends at once with status 2 and one clear line for each mistake."""
import lab
lab.enter()

import socket
import subprocess

import harness
from node import PROGRAMS, SANITIZED


class BadStart(harness.MeshTest):
    def setUp(self):
        super().setUp()
        self.a = self.node("a")

    def lines_of_a_failed_start(self, *arguments):
        self.a.write_config()
        process = self.a.host.spawn([str(PROGRAMS / "peerwatchd"), "--config", str(self.a.config_file), *arguments],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, errors = process.communicate(timeout=20 if SANITIZED else 5)
        self.assertEqual(process.returncode, 2, output + errors)
        return (output + errors).splitlines()

    def test_a_udp_port_in_use(self):
        self.a.start()
        self.a.config["http"]["listen"] = [f"{self.a.host.address}:9471"]
        self.a.config["http"]["control_socket"] = ""
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(self.a.address, lines[0])
        self.assertIn("in use", lines[0])

    def test_an_http_port_in_use(self):
        self.a.start()
        self.a.config["network"]["listen"] = [f"{self.a.host.address}:9471"]
        self.a.config["http"]["control_socket"] = ""
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(self.a.address, lines[0])
        self.assertIn("in use", lines[0])

    def test_a_control_socket_of_a_living_daemon(self):
        self.a.start()
        self.a.config["network"]["listen"] = [f"{self.a.host.address}:9471"]
        self.a.config["http"]["listen"] = [f"{self.a.host.address}:9471"]
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(self.a.socket, lines[0])
        self.assertTrue(self.a.controllable(), "the living daemon keeps its socket")

    def test_a_control_socket_left_behind_is_taken_over(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(self.a.socket)
        self.a.start()
        self.assertTrue(self.a.controllable())

    def test_a_loose_key(self):
        key = self.a.state_dir / "identity.key"
        key.chmod(0o644)
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(str(key), lines[0])
        self.assertRegex(lines[0], "0?644")

    def test_an_unreadable_key(self):
        key = self.a.state_dir / "identity.key"
        key.unlink()
        key.mkdir()
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(str(key), lines[0])

    def test_a_broken_key(self):
        key = self.a.state_dir / "identity.key"
        key.write_text("not a key\n")
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(str(key), lines[0])

    def test_a_broken_configuration_names_every_mistake(self):
        self.a.config["mesh"] = {"max_sesions": 5}
        self.a.config["probe"] = {"rtt_interval": "5 parsecs"}
        self.a.config["peer"] = [{"id": "too-short", "name": "b", "addresses": ["b.example:9470"]}]
        lines = self.lines_of_a_failed_start()
        for mistake in ("max_sesions", "rtt_interval", "id"):
            self.assertTrue([line for line in lines if mistake in line and f"{self.a.config_file}:" in line], (mistake, lines))
        self.assertTrue([line for line in lines if "max_sessions" in line], "a hint for the misspelt key")
        self.assertEqual(len(lines), 3, lines)

    def test_check_config_says_the_same_without_starting(self):
        self.a.config["mesh"] = {"max_sesions": 5}
        self.a.write_config()
        checked = subprocess.run([PROGRAMS / "peerwatchd", "--check-config", self.a.config_file], capture_output=True,
                                 text=True, check=False)
        self.assertEqual(checked.returncode, 2)
        self.assertRegex(checked.stdout + checked.stderr, rf"{self.a.config_file}:\d+:\d+: ")

    def test_a_configuration_that_is_not_there(self):
        self.a.config_file = self.a.folder / "absent.toml"
        process = subprocess.run([PROGRAMS / "peerwatchd", "--config", self.a.config_file], capture_output=True, text=True,
                                 check=False)
        self.assertEqual(process.returncode, 2)
        self.assertIn("absent.toml", process.stderr + process.stdout)

    def test_a_listener_for_everybody_without_authentication(self):
        del self.a.config["http"]["allow_unauthenticated"]
        lines = self.lines_of_a_failed_start()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("allow_unauthenticated", lines[0])


if __name__ == "__main__":
    harness.main()
