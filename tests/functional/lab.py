"""A laboratory of network namespaces that is gone when the process is.

The test process moves into a network and a mount namespace of its own (as an ordinary user, into a user namespace too)
before anything else happens. Everything it makes, named namespaces, links, mounts, lives inside: it cannot meet another
run's, and the kernel removes it with the last process, however that ends. Children get a kill signal when we die.

    10.77.0.254  this process, on the bridge
    10.77.0.1 …  one host each, in a namespace of its own
"""
import ctypes
import os
import signal
import subprocess
import sys

SUBNET = "10.77.0"
OWN_ADDRESS = f"{SUBNET}.254"
ENTERED = "PEERWATCH_LAB_ENTERED"
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def enter() -> None:
    """Replaces this process by itself inside fresh namespaces. Called first thing in every test file."""
    if os.environ.get(ENTERED) == str(os.getpid()):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        os.mkdir("/run/netns")
        run("ip", "link", "set", "lo", "up")
        return
    os.environ[ENTERED] = str(os.getpid())  # unshare executes without forking: the id stays
    own_user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    os.execvp("unshare", ["unshare", *own_user, "--net", "--mount", "--", sys.executable, "-B", *sys.argv])


def die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Host:
    """A machine on the bridge."""

    def __init__(self, name: str, address: str):
        self.name, self.address = name, address
        self.port = f"v-{name}"[:15]  # our end of its cable, a port of the bridge
        run("ip", "netns", "add", name)
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", self.port, "master", "br0", "up")
        for command in (["addr", "add", f"{address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                        ["link", "set", "lo", "up"]):
            run("ip", "-n", name, *command)

    def spawn(self, command: list[str], **options) -> subprocess.Popen:
        inside = ["nsenter", f"--net=/run/netns/{self.name}", "--", *command]
        return subprocess.Popen(inside, preexec_fn=die_with_parent, **options)  # executes in place: the id is the command's

    def unplug(self) -> None:
        run("ip", "link", "set", self.port, "down")

    def plug(self) -> None:
        run("ip", "link", "set", self.port, "up")


class Lab:
    def __init__(self):
        self.hosts: dict[str, Host] = {}
        run("ip", "link", "add", "br0", "type", "bridge")
        run("ip", "addr", "add", f"{OWN_ADDRESS}/24", "dev", "br0")
        run("ip", "link", "set", "br0", "up")

    def host(self, name: str) -> Host:
        self.hosts[name] = Host(name, f"{SUBNET}.{len(self.hosts) + 1}")
        return self.hosts[name]

    def close(self) -> None:
        """Between two tests of one process; the last one needs none."""
        for name in self.hosts:
            run("ip", "netns", "del", name)
        for host in self.hosts.values():
            subprocess.run(["ip", "link", "del", host.port], capture_output=True, check=False)
        run("ip", "link", "del", "br0")
