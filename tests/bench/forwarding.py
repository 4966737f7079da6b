"""What it costs to forward packets of 1200 bytes: a relay of ours, coturn, and the least that it takes.

Below saturation all forward the same traffic for the same time, one after the other, several rounds; beyond saturation
more is offered than any of them takes. CPU is the forwarding process' own. One thread each.
"""
import json
import pathlib
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass

import lab
import node as nodes

PACKET = 1200
PAIRS = 10
TURN_PORT, BARE_PORT = 3478, 3490
ROUNDS = 3
GREEDY = 20  # times what each of nine others sends
MODEST = 500  # packets a second that these send


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads, in the scheduler's nanoseconds."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@dataclass
class Forwarder:
    """A process that forwards, and what loads it: the command without pace and time."""
    name: str
    process: subprocess.Popen
    load: list

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)


def until_it_listens(port: int) -> None:
    """UDP tells nobody: whether the port is taken."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on port {port}")


def ours(programs: pathlib.Path, relay: nodes.Node, limits: dict) -> Forwarder:
    relay.config["node"]["roles"] = ["relay"]
    relay.config["bootstrap_server"] = {"admission": "open"}
    relay.config["relay_server"] = limits
    relay.start()
    return Forwarder("peerwatchd", relay.process, [programs / "tests/bench/bench_relay", relay.id, str(nodes.PORT), str(PAIRS)])


def coturn(programs: pathlib.Path) -> Forwarder:
    process = subprocess.Popen(
        ["turnserver", "-n", "--no-auth", "-L", "127.0.0.1", "-E", "127.0.0.1", "-p", str(TURN_PORT), "--no-tcp", "--no-tls",
         "--no-dtls", "--no-cli", "--allow-loopback-peers", "--relay-threads=1", "--log-file=/dev/null", "--pidfile=/dev/null"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=lab.die_with_parent)
    until_it_listens(TURN_PORT)
    return Forwarder("coturn", process, [programs / "tests/bench/bench_datagrams", "turn", str(TURN_PORT), str(PAIRS)])


def bare(programs: pathlib.Path) -> Forwarder:
    process = subprocess.Popen([programs / "tests/bench/bench_forwarder", str(BARE_PORT)], preexec_fn=lab.die_with_parent)
    until_it_listens(BARE_PORT)
    return Forwarder("bare", process, [programs / "tests/bench/bench_datagrams", "plain", str(BARE_PORT), str(PAIRS)])


def run(forwarder: Forwarder, packets_per_second: int, seconds: float, *more: str) -> dict:
    generator = subprocess.Popen([*forwarder.load, str(packets_per_second), str(seconds), *more], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, preexec_fn=lab.die_with_parent)
    if generator.stdout.readline() != "ready\n":
        raise SystemExit(f"{forwarder.name}: the load could not be set up")
    before = cpu_seconds(forwarder.process.pid)
    generator.stdin.write("go\n")
    generator.stdin.flush()
    lines = generator.stdout.readlines()
    used = cpu_seconds(forwarder.process.pid) - before
    if generator.wait() != 0:
        raise SystemExit(f"{forwarder.name}: the load ended with {generator.returncode}")
    outcome = json.loads(lines[-1])
    gigabytes = outcome["received"] * PACKET / 1e9
    return outcome | {"cpu_seconds": used, "cpu_seconds_per_gigabyte": used / gigabytes, "told": lines[:-1],
                      "packets_per_second": outcome["received"] / outcome["seconds"],
                      "packets_per_cpu_second": outcome["received"] / used}


def measure_greedy(programs: pathlib.Path, relay: nodes.Node, seconds: float) -> dict:
    """What each of ten clients got through of what it sent, with the limits that a relay has by default; the first is greedy."""
    forwarder = ours(programs, relay, {})
    try:
        outcome = run(forwarder, MODEST * (PAIRS - 1 + GREEDY), seconds, str(GREEDY))
        arrived, sent = zip(*((int(line.split()[2]), int(line.split()[4])) for line in outcome["told"]), strict=True)
        return {"seconds": outcome["seconds"], "arrived": arrived, "sent": sent}
    finally:
        forwarder.close()


def measure(programs: pathlib.Path, relay: nodes.Node, packets_per_second: int, flood: int, seconds: float) -> dict:
    forwarders = [ours(programs, relay, {"rate_per_client": "10Gbit/s"}), coturn(programs), bare(programs)]
    try:
        results: dict = {"offered_packets_per_second": packets_per_second, "pairs": PAIRS, "below": {}, "saturated": {}}
        for forwarder in forwarders * ROUNDS:
            results["below"].setdefault(forwarder.name, []).append(run(forwarder, packets_per_second, seconds))
        for forwarder in forwarders * ROUNDS:
            results["saturated"].setdefault(forwarder.name, []).append(run(forwarder, flood, seconds))
        return results
    finally:
        for forwarder in forwarders:
            forwarder.close()


def median(results: dict, part: str, name: str, what: str) -> float:
    return statistics.median(run[what] for run in results[part][name])


def rows(results: dict):
    """What, measured, beside, aim, met."""
    cost = {name: median(results, "below", name, "cpu_seconds_per_gigabyte") for name in results["below"]}
    pace = results["offered_packets_per_second"] // 1000
    yield (f"relay: CPU a GB, {pace} 000 packets/s", f"{cost['peerwatchd']:.2f} s", f"coturn {cost['coturn']:.2f} s", "≤ coturn",
           cost["peerwatchd"] <= cost["coturn"])
    yield ("", "", f"bare {cost['bare']:.2f} s", "", True)
    rate = {name: median(results, "saturated", name, "packets_per_second") for name in results["saturated"]}
    per_cpu = {name: median(results, "saturated", name, "packets_per_cpu_second") for name in results["saturated"]}
    yield ("relay: packets/s when saturated", f"{rate['peerwatchd']:.0f}", f"bare {rate['bare']:.0f}", "≥ bare / 2",
           rate["peerwatchd"] >= 0.5 * rate["bare"])
    yield ("", "", f"coturn {rate['coturn']:.0f}", "", True)
    yield ("relay: packets a CPU second then", f"{per_cpu['peerwatchd']:.0f}", f"bare {per_cpu['bare']:.0f}", "≥ bare / 2",
           per_cpu["peerwatchd"] >= 0.5 * per_cpu["bare"])
    fair = results["greedy"]
    share = [got / sent for got, sent in zip(fair["arrived"], fair["sent"], strict=True)]
    yield ("relay: nine beside a greedy one", f"{min(share[1:]):.1%} arrived", f"of the greedy's {share[0]:.1%}", "≥ 99 %",
           min(share[1:]) >= 0.99)
