"""Namespaces that are gone when the process is, and processes inside them.

The test process moves into a network and a mount namespace of its own (as an ordinary user, into a user namespace too)
before anything else happens. Everything it makes, named namespaces, links, mounts, temporary files, lives inside: it cannot
meet another run's, and the kernel removes it with the last process, however that ends. Children get a kill signal when we die.
"""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import typing

ENTERED = "PEERWATCH_LAB_ENTERED"
SKIPPED = 77  # exit status of what could not be run here (CMakeLists.txt tells ctest)
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946
# ethtool's old commands, still served: checksums sent, segmentation (TSO, generic), receive offload.
ETHTOOL_OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def built(program: str) -> pathlib.Path | None:
    """A program of the tests: where PEERWATCH_NAME says, else in the release build. None: it was not built."""
    told = os.environ.get(f"PEERWATCH_{pathlib.Path(program).name.upper()}")
    found = pathlib.Path(told or pathlib.Path(__file__).resolve().parents[3] / "build/release/tests" / program)
    return found if found.is_file() else None


def skip(why: str) -> typing.NoReturn:
    print(f"skipped: {why}", file=sys.stderr)
    sys.exit(SKIPPED)


def enter(*needs: str) -> None:
    """Replaces this process by itself inside fresh namespaces. Called first thing in every test file. `needs`: programs
    without which there is nothing to run."""
    if os.environ.get(ENTERED) == str(os.getpid()):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        os.mkdir("/run/netns")
        os.mkdir("/run/tmp")
        os.environ["TMPDIR"] = "/run/tmp"
        run("ip", "link", "set", "lo", "up")
        return
    os.environ[ENTERED] = str(os.getpid())  # unshare executes without forking: the id stays
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where an ordinary user's path does not lead: nft, tc, conntrack
    missing = [program for program in needs if not shutil.which(program)]
    if missing:
        skip(f"needs {', '.join(missing)} (deploy/setup.sh --tests)")
    fresh = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--net", "--mount", "--"]
    tried = subprocess.run([*fresh, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        skip(f"no namespaces here: {tried.stderr.strip()}")
    os.execvp("unshare", [*fresh, sys.executable, "-B", *sys.argv])


def die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _set_namespace(file: int) -> None:
    if LIBC.setns(file, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Space:
    """One named network namespace: a machine, or a router."""

    def __init__(self, name: str):
        self.name = name
        run("ip", "netns", "add", name)
        self.ip("link set lo up")

    def ip(self, *commands: str) -> None:
        """Commands of ip(8), in one process."""
        run("ip", "-n", self.name, "-batch", "-", given="\n".join(commands) + "\n")

    def run(self, *command: str, given: str | None = None) -> str:
        return run("nsenter", f"--net=/run/netns/{self.name}", "--", *command, given=given)

    def spawn(self, command: list[str], **options) -> subprocess.Popen:
        inside = ["nsenter", f"--net=/run/netns/{self.name}", "--", *command]
        return subprocess.Popen(inside, preexec_fn=die_with_parent, **options)  # executes in place: the id is the command's

    @contextlib.contextmanager
    def inside(self):
        """This thread is in there meanwhile: what it opens stays there."""
        with open("/proc/thread-self/ns/net", "rb") as own, open(f"/run/netns/{self.name}", "rb") as there:
            _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(own.fileno())

    def sysctl(self, **values: object) -> None:
        """Below net; two underscores stand for a slash."""
        with self.inside():
            for key, value in values.items():
                pathlib.Path("/proc/sys/net", key.replace("__", "/")).write_text(str(value))

    def udp(self, address: str, port: int = 0) -> socket.socket:
        """A bound socket in there, usable from here."""
        with self.inside():
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            try:
                made.bind((address, port))
            except OSError:
                made.close()
                raise
            return made

    def delete(self) -> None:
        run("ip", "netns", "del", self.name)


def no_offloads(device: str) -> None:
    """Packets cross the cable as they would cross a real one: whole, of their own size, with their checksum. For a device
    of this thread's namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in ETHTOOL_OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP8x", device.encode(), ctypes.addressof(value))
            with contextlib.suppress(OSError):  # one that this kind of device can't change
                fcntl.ioctl(control, SIOCETHTOOL, request)
