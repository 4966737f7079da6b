"""deploy/quickstart.sh shows a running mesh and leaves nothing behind, however it ends."""
import lab
lab.enter()

import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

import harness
from node import wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds until all is connected; the build is there already


class Quickstart(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="peerwatch-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "output"
        (self.folder / "tmp").mkdir()

    def start(self, *arguments: str) -> subprocess.Popen:
        with open(self.output, "wb") as output:
            return subprocess.Popen([ROOT / "deploy/quickstart.sh", *arguments], stdout=output, stderr=subprocess.STDOUT,
                                    stdin=subprocess.DEVNULL, env={**os.environ, "TMPDIR": str(self.folder / "tmp")},
                                    start_new_session=True, preexec_fn=lab.die_with_parent)

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def started(self) -> subprocess.Popen:
        process = self.start()
        wait_for("it runs", lambda: "running until Ctrl-C" in self.said() or process.poll() is not None, PATIENCE)
        self.assertIsNone(process.poll(), self.said())
        self.assertEqual(len(self.processes()), 3)
        return process

    def processes(self) -> list[str]:
        """Daemons of this run: their command lines name the folder."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if b"peerwatchd\0" in command and str(self.folder).encode() in command:
                found.append(command.replace(b"\0", b" ").decode())
        return found

    def nothing_is_left(self):
        wait_for("no daemon is left", lambda: not self.processes(), 10)
        wait_for("no file is left", lambda: not list((self.folder / "tmp").iterdir()), 10)

    def test_check_verifies_everything(self):
        process = self.start("--check")
        self.assertEqual(process.wait(PATIENCE), 0, self.said())
        self.assertIn("check passed", self.said())
        self.assertNotIn("FAILED", self.said())
        self.nothing_is_left()

    def test_it_runs_until_it_is_interrupted(self):
        process = self.started()
        self.assertIn("/metrics", self.said())
        os.killpg(process.pid, signal.SIGINT)
        self.assertEqual(process.wait(15), 130)
        self.nothing_is_left()

    def test_it_is_killed(self):
        process = self.started()
        process.kill()
        process.wait()
        self.nothing_is_left()

    def test_a_daemon_that_dies_is_told(self):
        process = self.started()
        one = next(iter((self.folder / "tmp").glob("*/b.pid"))).read_text()
        os.kill(int(one), signal.SIGKILL)
        self.assertNotEqual(process.wait(15), 0)
        self.assertIn("node-b ended", self.said())
        self.nothing_is_left()


if __name__ == "__main__":
    harness.main()
