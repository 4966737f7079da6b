"""The laboratory itself: what it refuses, that runs don't meet, and that nothing of a killed one is left."""
import lab
lab.enter("nft", "conntrack", "turnserver", "turnutils_natdiscovery")

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

from lab import engines, load

RUN = pathlib.Path(__file__).resolve().parent / "run_scenario.py"
MARK = "PEERWATCH_LAB_MARK"
HOME = '''
about = "A host behind a NAT, a peer, and a judge"
[[segment]]
name = "internet"
[[segment]]
name = "lan"
[[router]]
name = "home"
outer = {segment = "internet", addresses = ["11.0.1.1"]}
inner = {segment = "lan", addresses = ["192.168.1.1"]}
nat = {mapping = "address-dependent", filtering = "address-dependent", ports = "random"}
[[host]]
name = "a"
attach = {segment = "lan", addresses = ["192.168.1.10"]}
peers = ["b"]
[[host]]
name = "b"
attach = {segment = "internet", addresses = ["11.0.0.3"]}
peers = ["a"]
hidden = ["a"]
[[host]]
name = "judge"
attach = {segment = "internet", addresses = ["11.0.0.1", "11.0.0.2"]}
serves = "stun"
[[expect]]
connected = ["a", "b"]
by = "5s"
[[expect]]
nat = {mapping = "address-dependent", filtering = "address-dependent"}
behind = "a"
server = "judge"
at = "0s"
'''


class Refusal(unittest.TestCase):
    def refused(self, old: str, new: str, why: str) -> None:
        self.assertIn(old, HOME)
        with self.subTest(new=new), self.assertRaises(load.Bad) as caught:
            load.parse(HOME.replace(old, new, 1))
        self.assertIn(why, str(caught.exception))

    def test_every_mistake_in_a_file_is_named(self):
        load.parse(HOME)
        self.refused('ports = "random"', 'port = "random"', "router home: nat: unknown key port")
        self.refused('ports = "random"', 'ports = "rnd"', "ports: expected one of preserving, sequential, random")
        self.refused('by = "5s"', 'by = "5 s"', 'by: expected a duration like "250ms", found')
        self.refused('by = "5s"', 'by = "5s1m"', "expected a duration")
        self.refused('by = "5s"', 'within = 1', "needs at")
        self.refused('hidden = ["a"]', 'hidden = ["judge"]', "names one that is not in peers")
        self.refused('peers = ["b"]', 'peers = ["judge"]', "judge runs no daemon")
        self.refused('peers = ["b"]', 'peers = ["c"]', "unknown name 'c'")
        self.refused('segment = "lan"', 'segment = "lane"', "unknown name 'lane'")
        self.refused('"11.0.0.3"', '"11.0.0.2"', "11.0.0.2 is both")
        self.refused('"11.0.0.3"', '"11.0.0"', "is no address")
        self.refused('server = "judge"', 'server = "b"', "b serves no STUN")
        self.refused('name = "b"', 'name = "lan"', "the name 'lan' is taken")
        self.refused("[[host]]", "[[hosts]]", "unknown key hosts")
        self.refused('about = "A host', '# "', "needs about")
        self.refused('"11.0.0.1", "11.0.0.2"', '"11.0.0.1"', "needs two addresses")

    def test_what_an_engine_cannot_do_is_said_in_words(self):
        mapped = load.parse(HOME.replace('nat = {mapping', 'port_mapper = {pcp = true, lie = "forgets"}\nnat = {mapping', 1))
        self.assertIn("both of NAT-PMP and PCP", engines.against(mapped, engines.KERNEL))
        self.assertIn("does not lie", engines.against(mapped, engines.KERNEL))
        self.assertIsNone(engines.against(mapped, engines.USERSPACE))
        self.assertIsNone(engines.against(load.parse(HOME), engines.KERNEL))


def with_mark(mark: str) -> list[pathlib.Path]:
    """Processes that descend from a marked one."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(process)
        except OSError:
            continue  # gone, or somebody else's
    return found


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/tmp")  # a laboratory has a /run of its own
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "home.toml")
        self.file.write_text(HOME)

    def begin(self, *before: str) -> tuple[subprocess.Popen, str]:
        mark = uuid.uuid4().hex
        return subprocess.Popen([*before, sys.executable, "-B", RUN, self.file], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, MARK: mark}, preexec_fn=lab.die_with_parent), mark

    def passed(self, process: subprocess.Popen) -> None:
        said = json.loads(process.communicate(timeout=60)[0])
        self.assertEqual(process.returncode, 0, said)
        self.assertTrue(said["passed"], said)
        self.assertEqual(said["results"][1]["seen"]["mapping"], "address-dependent")

    def test_two_at_once_with_the_same_names_and_addresses_do_not_meet(self):
        both = [self.begin()[0] for _ in range(2)]
        for process in both:
            self.passed(process)

    def test_in_a_user_namespace_it_is_the_same(self):
        self.passed(self.begin("unshare", "--user", "--map-root-user")[0])

    def test_where_there_are_no_namespaces_it_says_so_and_counts_as_skipped(self):
        forbid = 'echo 0 > /proc/sys/user/max_net_namespaces; exec "$@"'
        done = subprocess.run(["unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh", sys.executable, "-B", RUN,
                               self.file], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, lab.SKIPPED, done)
        self.assertIn("skipped: no namespaces here", done.stderr)

    def test_of_a_killed_one_nothing_is_left(self):
        left_in_tmp = set(pathlib.Path("/tmp").iterdir())
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        process, mark = self.begin()
        self.addCleanup(process.stdout.close)
        deadline = time.monotonic() + 20
        while len(members := with_mark(mark)) < 5:  # the runner, two daemons, turnserver, the one that asks it
            self.assertLess(time.monotonic(), deadline, "it does not get going")
            time.sleep(0.05)
        # Network, mount namespaces: three at least are its own. One without a process or a mount is gone.
        spaces = {os.readlink(member / "ns" / kind) for member in members for kind in ("net", "mnt")}
        own = {os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "mnt")}
        self.assertGreaterEqual(len(spaces - own), 4)
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 5
        while with_mark(mark):
            self.assertLess(time.monotonic(), deadline, "processes outlived it")
            time.sleep(0.05)
        inhabited = set()
        for other in pathlib.Path("/proc").glob("[0-9]*"):
            for kind in ("net", "mnt"):
                try:
                    inhabited.add(os.readlink(other / "ns" / kind))
                except OSError:
                    continue
        self.assertEqual((spaces - own) & inhabited, set())
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), mounts)
        self.assertEqual([p for p in set(pathlib.Path("/tmp").iterdir()) - left_in_tmp if "peerwatch" in p.name], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
