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
SIMULATOR = "sim/sim_scenario"
ROUTER, DO, EXPECT = "[[router]]\nname = \"home\"", "[[expect]]\nconnected", "by = \"5s\""  # where something is put in
MISTAKES = [
    ('ports = "random"', 'port = "random"', "router home: nat: unknown key port"),
    ('ports = "random"', 'ports = "rnd"', "ports: expected one of preserving, sequential, random"),
    ('ports = "random"', 'timeout = "0s"', "timeout: must not be 0"),
    ('nat = {', 'firewall = {timeout = "0s"}\nnat = {', "timeout: must not be 0"),
    ('ports = "random"', "step = 0", "step must not be 0"),
    ('by = "5s"', 'by = "5 s"', 'by: expected a duration like "250ms", found'),
    ('by = "5s"', 'by = "5s1m"', "expected a duration"),
    ('by = "5s"', "within = 1", "needs at"),
    ('by = "5s"', 'by = "5s"\nat = "5s"', "unknown key at"),
    ('by = "5s"', 'by = "5s"\nafter = "6s"', "after is later than by"),
    ('hidden = ["a"]', 'hidden = ["judge"]', "names one that is not in peers"),
    ('hidden = ["a"]', 'hidden = ["a"]\nserves = "stun"', "exclude each other"),
    ('serves = "stun"', 'serves = "stun"\nstart = false', "runs no daemon"),
    ('peers = ["b"]', 'peers = ["judge"]', "judge runs no daemon"),
    ('peers = ["b"]', 'peers = ["c"]', "unknown name 'c'"),
    ('peers = ["b"]', 'peers = ["a", "b"]', "its own peer"),
    ('peers = ["b"]', 'peers = ["b", "b"]', "none twice"),
    ('segment = "lan"', 'segment = "lane"', "unknown name 'lane'"),
    ('segment = "lan"', 'segment = "internet"', "one segment"),
    ('"11.0.0.3"', '"11.0.0.2"', "11.0.0.2 is both"),
    ('"11.0.0.3"', '"11.0.0.3", "11.0.0.3"', "none twice"),
    ('"11.0.0.3"', '"11.0.0"', "is no address"),
    ('"11.0.0.3"', "", "at least one"),
    ('"11.0.0.3"]}', '"11.0.0.3"], link = {loss = 2}}', "loss: expected a number from 0 to 1"),
    ('"11.0.0.3"]}', '"11.0.0.3"], link = {mtu = 10}}', "mtu: expected a whole number from 68"),
    ('"11.0.1.1"', '"2001:db8::1"', "IPv4 address outside"),
    ('server = "judge"', 'server = "b"', "b serves no STUN"),
    ('name = "b"', 'name = "lan"', "the name 'lan' is taken"),
    ("[[host]]", "[[hosts]]", "unknown key hosts"),
    ('about = "A host', '# "', "needs about"),
    ('"11.0.0.1", "11.0.0.2"', '"11.0.0.1"', "needs two addresses"),
    (ROUTER, '[[router]]\nname = "twin"\nouter = {segment = "internet", addresses = ["11.0.1.2"]}\n'
             'inner = {segment = "lan", addresses = ["192.168.1.2"]}\n' + ROUTER, "another router in front"),
    (ROUTER, '[[router]]\nname = "back"\nouter = {segment = "lan", addresses = ["192.168.1.2"]}\n'
             'inner = {segment = "internet", addresses = ["11.0.1.2"]}\n' + ROUTER, "circle"),
    (DO, '[[do]]\nat = "1s"\nwhat = "start"\nhost = "a"\n' + DO, "runs already"),
    (DO, '[[do]]\nat = "1s"\nwhat = "kill"\nhost = "judge"\n' + DO, "runs no daemon"),
    (DO, '[[do]]\nat = "1s"\nwhat = "stop"\nhost = "a"\n[[do]]\nat = "2s"\nwhat = "freeze"\nhost = "a"\nfor = "1s"\n' + DO,
     "does not run"),
    (DO, '[[do]]\nat = "1s"\nwhat = "reboot"\nrouter = "a"\n' + DO, "unknown name 'a'"),
    (DO, '[[do]]\nat = "1s"\nwhat = "addresses"\nhost = "a"\naddresses = []\n' + DO, "at least one"),
    (DO, '[[do]]\nat = "1s"\nwhat = "addresses"\nhost = "home"\nrouter = "home"\naddresses = ["11.0.1.2"]\n' + DO, "unknown key"),
    (DO, '[[do]]\nat = "1s"\nwhat = "link"\nfrom = "a"\nto = "a"\nset = {}\n' + DO, "the same"),
    (DO, '[[do]]\nat = "1s"\nwhat = "link"\nfrom = "a"\nto = "b"\nset = {}\n' + DO, "no one segment in common"),
    ('connected = ["a", "b"]', 'connected = ["a", "judge"]', "judge runs no daemon"),
    ('connected = ["a", "b"]', 'connected = ["a", "a"]', "none twice"),
    ('connected = ["a", "b"]', 'connected = ["a"]', "expected two names"),
    ('nat = {mapping = "address-dependent", filtering = "address-dependent"}\nbehind', "nat = {}\nbehind", "needs mapping"),
    (HOME[HOME.index("[[expect]]"):], "", "no [[expect]]"),
]


class Refusal(unittest.TestCase):
    """Two programs read scenario files: what one refuses, the other does."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = pathlib.Path(folder.name, "home.toml")

    def refused(self, old: str, new: str, why: str) -> None:
        """`why`: as the laboratory says it."""
        self.assertIn(old, HOME)
        text = HOME.replace(old, new, 1)
        with self.subTest(new=new):
            with self.assertRaises(load.Bad) as caught:
                load.parse(text)
            self.assertIn(why, str(caught.exception))
            if lab.built(SIMULATOR):
                self.assertEqual(self.simulated(text), 2)

    def simulated(self, text: str) -> int:
        self.file.write_text(text)
        return subprocess.run([lab.built(SIMULATOR), self.file], capture_output=True, check=False).returncode

    def test_every_mistake_in_a_file_is_named_and_the_simulator_refuses_it_too(self):
        load.parse(HOME)
        if lab.built(SIMULATOR):
            self.assertEqual(self.simulated(HOME), 0)
        for mistake in MISTAKES:
            self.refused(*mistake)

    def test_what_an_engine_cannot_do_is_said_in_words(self):
        mapped = load.parse(HOME.replace('nat = {mapping', 'port_mapper = {pcp = true, lie = "forgets"}\nnat = {mapping', 1))
        self.assertIn("both of NAT-PMP and PCP", engines.against(mapped, engines.KERNEL))
        self.assertIn("does not lie", engines.against(mapped, engines.KERNEL))
        self.assertIsNone(engines.against(mapped, engines.USERSPACE))
        self.assertIsNone(engines.against(load.parse(HOME), engines.KERNEL))


def processes() -> list[pathlib.Path]:
    return list(pathlib.Path("/proc").glob("[0-9]*"))


def inhabited(of: list[pathlib.Path]) -> set[str]:
    """Network and mount namespaces. One that is dying has no environment any more, but these."""
    found = set()
    for process in of:
        for kind in ("net", "mnt"):
            try:
                found.add(os.readlink(process / "ns" / kind))
            except OSError:
                continue
    return found


def with_mark(mark: str) -> list[pathlib.Path]:
    """Processes that descend from a marked one."""
    found = []
    for process in processes():
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
        self.outside = pathlib.Path(folder.name, "tmp")  # where it would write, had it no place of its own
        self.outside.mkdir()

    def begin(self, *before: str) -> tuple[subprocess.Popen, str]:
        mark = uuid.uuid4().hex
        return subprocess.Popen([*before, sys.executable, "-B", RUN, self.file], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, MARK: mark, "TMPDIR": str(self.outside)},
                                preexec_fn=lab.die_with_parent), mark

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
        there = processes()  # later ones may live in namespaces of the same numbers
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 5
        while with_mark(mark) or (spaces - own) & inhabited(there):
            self.assertLess(time.monotonic(), deadline, "processes or namespaces outlived it")
            time.sleep(0.05)
        self.assertEqual(pathlib.Path("/proc/self/mountinfo").read_text(), mounts)
        self.assertEqual(list(self.outside.iterdir()), [])


if __name__ == "__main__":
    lab.main()
