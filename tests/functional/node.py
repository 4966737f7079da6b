"""A real peerwatchd on a host of the laboratory."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import scrape
from lab import Host

PROGRAMS = pathlib.Path(os.environ.get("PEERWATCH_PROGRAMS") or
                        pathlib.Path(__file__).resolve().parents[2] / "build/release/daemon")
# Sanitizers slow a daemon down several times and keep freed memory: limits of time grow, those of memory don't apply.
SANITIZED = os.environ.get("PEERWATCH_SANITIZED", "") != ""
PORT = 9470
# Nothing of this may ever stand in a daemon's output.
CRASH = re.compile(r"Sanitizer|runtime error:|check failed|terminate called|Segmentation fault")
START_TIMEOUT = 20.0 if SANITIZED else 5.0


def wait_for(what: str, condition, timeout: float, every: float = 0.05):
    """The first true value of condition(); fails by name when there is none in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(every)


def toml(tables: dict) -> str:
    """Tables of scalars and lists, and arrays of tables (peer): all that a configuration of ours has."""
    lines = []
    for name, content in tables.items():
        for table in content if isinstance(content, list) else [content]:
            lines.append(f"[[{name}]]" if isinstance(content, list) else f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


class Node:
    def __init__(self, host: Host, folder: pathlib.Path):
        self.host, self.name = host, host.name
        self.folder = folder / host.name
        self.folder.mkdir()
        self.state_dir = self.folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.config_file = self.folder / "peerwatch.toml"
        self.log_file = self.folder / "log"
        self.socket = str(self.folder / "control.sock")
        self.api: tuple[str, int] | str = (host.address, PORT)  # where it is asked: HTTP, or the control socket
        self.process: subprocess.Popen | None = None
        self.id = self.make_identity()
        self.short_id = self.id[:10]
        self.config = {
            "node": {"name": self.name, "state_dir": str(self.state_dir)},
            "network": {"listen": [f"{host.address}:{PORT}"]},
            "mesh": {},
            # Health checks every second instead of five: tests wait for figures.
            "probe": {"rtt_interval": "1s"},
            # The laboratory is the only one to reach these addresses, and it polls.
            "http": {"listen": [f"{host.address}:{PORT}"], "control_socket": self.socket, "allow_unauthenticated": True,
                     "rate_limit": "10000/s"},
            "log": {"level": "debug"},
            "peer": [],
        }

    @property
    def address(self) -> str:
        return f"{self.host.address}:{PORT}"

    def make_identity(self) -> str:
        done = subprocess.run([PROGRAMS / "peerwatchd", "--identity", "--state-dir", self.state_dir], capture_output=True,
                              text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"peerwatchd --identity: {done.stderr}")
        return done.stdout.strip()

    def knows(self, *others: "Node") -> None:
        self.config["peer"] += [{"id": o.id, "name": o.name, "addresses": [o.address]} for o in others]

    # ---- the process
    def write_config(self) -> None:
        self.config_file.write_text(toml(self.config))

    def start(self, wait: bool = True) -> None:
        self.write_config()
        with open(self.log_file, "ab") as log:
            self.process = self.host.spawn([str(PROGRAMS / "peerwatchd"), "--config", str(self.config_file)], stdout=log,
                                           stderr=log, stdin=subprocess.DEVNULL)
        if wait:
            wait_for(f"{self.name} answers", self.answers, START_TIMEOUT)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log()[-2000:]}")
        try:
            return self.get("/-/healthy").status == 200
        except OSError:
            return False

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = 20.0 if SANITIZED else 5.0) -> int:
        """SIGTERM, then its exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def rss(self) -> int:
        """Resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"{self.name} has no memory: it ended")

    def kernel_drops(self) -> int:
        """Datagrams that the kernel dropped at this node's socket."""
        lines = pathlib.Path(f"/proc/{self.process.pid}/net/udp").read_text().splitlines()[1:]
        return sum(int(line.split()[-1]) for line in lines if line.split()[1].endswith(f":{PORT:04X}"))

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def problems_in_log(self) -> list[str]:
        return [f"{self.name}: {CRASH.search(self.log())[0]}"] if CRASH.search(self.log()) else []

    # ---- what it tells
    def get(self, path: str, **headers: str) -> scrape.Answer:
        return scrape.request(self.api, "GET", path, headers=headers)

    def controllable(self) -> bool:
        """The control socket answers."""
        return scrape.request(self.socket, "GET", "/api/v1/status").status == 200

    def post(self, path: str, body: object = None) -> scrape.Answer:
        return scrape.request(self.socket, "POST", path, body)

    def metrics(self) -> scrape.Metrics:
        """Over the control socket: scrapes over TCP are limited to what Prometheus needs."""
        return scrape.Metrics(scrape.request(self.socket, "GET", "/metrics").body.decode())

    def status(self) -> dict:
        return self.get("/api/v1/status").json()

    def peer(self, other: "Node") -> dict | None:
        answer = self.get(f"/api/v1/peers/{other.id}")
        return answer.json() if answer.status == 200 else None

    def state_of(self, other: "Node") -> str | None:
        peer = self.peer(other)
        return peer and peer["state"]

    def events(self, kind: str, about: "Node | None" = None) -> list[dict]:
        answer = self.get(f"/api/v1/events?type={kind}" + (f"&peer={about.id}" if about else ""))
        if answer.status != 200:
            raise AssertionError(f"/api/v1/events: {answer.status} {answer.body!r}")
        return answer.json()["events"]

    def command(self, *arguments: str) -> subprocess.CompletedProcess:
        """The command for people, over the control socket."""
        return subprocess.run([PROGRAMS / "peerwatch", *arguments, "--socket", self.socket], capture_output=True, text=True,
                              timeout=30, check=False)
