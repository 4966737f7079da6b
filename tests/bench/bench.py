#!/usr/bin/env python3
"""Measures a release build beside its peers, in one run on one machine, and prints a table.

    tests/bench/bench.py [--programs build/release] [--peers 100 1000] [--seconds 30] [--only relay] [--json build/bench.json]

What is measured, each figure beside what it is to be compared with:
  memory and CPU  of a daemon with 100 and with 1000 connected peers and one probe a second each way, beside
                  prometheus-smokeping-prober with as many targets; a probe = send, receive, account, and answering a
                  peer's probe counts as one
  a scrape        CPU of one GET /metrics with 1000 peers, all labelled
  RTT             median of pings between two daemons, beside a bare UDP echo at the same pace
  relay           CPU of forwarding packets of 1200 bytes, and how many at most, beside coturn and a bare forwarder
Needs deploy/setup.sh --tests --bench. Everything runs in a network namespace of its own.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "functional"))

import lab  # noqa: E402
lab.enter()

import forwarding  # noqa: E402
import node as nodes  # noqa: E402
import scrape  # noqa: E402
from forwarding import cpu_seconds  # noqa: E402
from node import wait_for  # noqa: E402

# The aims; ratios decide where absolute times drift with the machine.
AIM_RSS = 64 << 20         # bytes, 1000 peers
AIM_PROBE = 40e-6          # seconds of CPU a probe
AIM_SCRAPE = 2.4e-3        # seconds of CPU a scrape
AIM_RTT_ABOVE_ECHO = 60    # microseconds
AIM_SCALING = 1.3          # cost of a probe at 1000 peers : at 100
PING_INTERVAL_MS = 50
PINGS = 200


def rss(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return int(fields["VmRSS"].split()[0]) * 1024


class Loopback:
    """A host of the harness that is this namespace itself."""

    def __init__(self, name: str, address: str):
        self.name, self.address = name, address

    def spawn(self, command: list[str], **options) -> subprocess.Popen:
        return subprocess.Popen(command, preexec_fn=lab.die_with_parent, **options)


def daemon(folder: pathlib.Path, name: str, address: str) -> nodes.Node:
    made = nodes.Node(Loopback(name, address), folder)
    made.config["probe"] = {}
    made.config["log"] = {"level": "warning"}
    made.config["telemetry"] = {"max_labelled_peers": 1000}
    return made


class Swarm:
    def __init__(self, programs: pathlib.Path, count: int, target: nodes.Node, interval_ms: int):
        self.process = subprocess.Popen(
            [programs / "tests/bench/bench_swarm", str(count), target.id, target.address, str(interval_ms)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=lab.die_with_parent)
        self.peers = []
        for line in self.process.stdout:
            if line == "ready\n":
                return
            self.peers.append(line.split())
        raise SystemExit(f"bench_swarm ended with {self.process.wait()}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


def mesh_of(programs, folder, count, datagram_ms, rtt_interval):
    """A daemon and `count` connected peers."""
    target = daemon(folder, f"target-{count}-{datagram_ms}", "127.0.0.1")
    target.config["probe"] = {"datagram_interval": f"{datagram_ms}ms", "rtt_interval": rtt_interval}
    swarm = Swarm(programs, count, target, datagram_ms)
    target.config["peer"] = [{"id": i, "name": f"peer-{n}", "addresses": [a]} for n, (i, a) in enumerate(swarm.peers)]
    target.start()
    started = time.monotonic()
    wait_for(f"{count} peers are connected",
             lambda: target.metrics().value("p2p_connections_active", state="connected") == count, 120, every=0.5)
    print(f"  {count} peers connected after {time.monotonic() - started:.1f} s")
    return target, swarm


def lost(target) -> tuple[float, float]:
    metrics = target.metrics()
    return metrics.sum("p2p_probes_lost_total"), metrics.sum("p2p_probes_expected_total")


def measure_probes(programs, folder, count, seconds) -> dict:
    target, swarm = mesh_of(programs, folder, count, 1000, "5s")
    time.sleep(10)  # the burst of handshakes is over, first measurements of everybody are there
    lost_before, expected_before = lost(target)
    before, started = cpu_seconds(target.process.pid), time.monotonic()
    time.sleep(seconds)
    used, took = cpu_seconds(target.process.pid) - before, time.monotonic() - started
    lost_after, expected_after = lost(target)
    memory = rss(target.process.pid)
    target.stop()
    swarm.close()
    return {"peers": count, "rss_bytes": memory, "cpu_share": used / took, "cpu_per_probe_seconds": used / (2 * count * took),
            "probes_expected": expected_after - expected_before, "probes_lost": lost_after - lost_before}


def measure_smokeping(count, seconds) -> dict:
    targets = [f"127.2.{n // 250}.{n % 250 + 1}" for n in range(count)]
    no_others = tempfile.NamedTemporaryFile("w", suffix=".yml")
    no_others.write("targets: []\n")
    no_others.flush()
    process = subprocess.Popen(
        ["prometheus-smokeping-prober", "--privileged", "--ping.interval=1s", "--web.listen-address=127.0.0.1:9374",
         f"--config.file={no_others.name}", "--log.level=error", *targets],
        preexec_fn=lab.die_with_parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answered() -> float:
        try:
            text = scrape.request(("127.0.0.1", 9374), "GET", "/metrics").body.decode()
        except OSError:
            return 0
        return scrape.Metrics(text).sum("smokeping_response_duration_seconds_count")
    wait_for("smokeping probes all targets", lambda: answered() >= count, 60, every=0.5)
    time.sleep(10)
    probes_before = answered()
    before, started = cpu_seconds(process.pid), time.monotonic()
    time.sleep(seconds)
    used, took = cpu_seconds(process.pid) - before, time.monotonic() - started
    probes = answered() - probes_before
    memory = rss(process.pid)
    process.terminate()
    process.wait()
    return {"targets": count, "rss_bytes": memory, "cpu_share": used / took, "cpu_per_probe_seconds": used / probes}


def measure_scrape(programs, folder, count, scrapes) -> dict:
    """Probes are as rare as they may be, so that what is left beside the scrapes is small, and measured and taken away."""
    target, swarm = mesh_of(programs, folder, count, 10_000, "10s")
    time.sleep(25)  # every family of every peer has a value
    pid, pause = target.process.pid, 1.05  # longer than a picture is served again: each scrape pays in full
    get = lambda: scrape.request((target.host.address, nodes.PORT), "GET", "/metrics")  # noqa: E731
    size, samples = len(get().body), len(target.metrics().series)
    idle_before = cpu_seconds(pid)
    idle_started = time.monotonic()
    time.sleep(scrapes * pause)
    idle = (cpu_seconds(pid) - idle_before) / (time.monotonic() - idle_started)
    before, started, times = cpu_seconds(pid), time.monotonic(), []
    for _ in range(scrapes):
        time.sleep(pause)
        asked = time.monotonic()
        answer = get()
        times.append(time.monotonic() - asked)
        if answer.status != 200:
            raise SystemExit(f"a scrape was answered with {answer.status}")
    took = time.monotonic() - started
    used = cpu_seconds(pid) - before - idle * took
    target.stop()
    swarm.close()
    return {"peers": count, "samples": samples, "bytes": size, "cpu_per_scrape_seconds": used / scrapes,
            "median_seconds": statistics.median(times), "idle_cpu_share": idle}


def measure_rtt(programs, folder) -> dict:
    a, b = daemon(folder, "a", "127.0.0.1"), daemon(folder, "b", "127.0.0.2")
    a.knows(b)
    b.knows(a)
    a.start()
    b.start()
    wait_for("connected", lambda: a.state_of(b) == "connected", 20)

    def bare() -> float:
        done = subprocess.run([programs / "tests/bench/bench_echo", str(PINGS), str(PING_INTERVAL_MS), "100"],
                              capture_output=True, text=True, check=True)
        return float(done.stdout.split()[0])
    echo_before = bare()
    pings = []
    for _ in range(PINGS):
        time.sleep(PING_INTERVAL_MS / 1000)
        pings.append(a.post(f"/api/v1/peers/{b.id}/ping").json()["rtt_ms"] * 1000)
    echo_after = bare()
    a.stop()
    b.stop()
    return {"ping_median_microseconds": statistics.median(pings), "echo_median_microseconds": (echo_before + echo_after) / 2,
            "echo_runs_microseconds": [echo_before, echo_after]}


def row(what: str, measured: str, beside: str, aim: str, met: bool) -> None:
    print(f"{what:<34} {measured:>14} {beside:>26} {aim:>14}  {'met' if met else 'MISSED'}")


def table(results: dict) -> None:
    print(f"\n{'':<34} {'peerwatchd':>14} {'beside':>26} {'aim':>14}")
    if "probes" in results:
        monitoring_table(results)
    if "relay" in results:
        for each in forwarding.rows(results["relay"]):
            row(*each)


def monitoring_table(results: dict) -> None:
    for own, other in zip(results["probes"], results["smokeping"], strict=True):
        n, beside = own["peers"], "smokeping "
        large = n >= 1000
        row(f"memory, {n} peers", f"{own['rss_bytes'] / 2**20:.1f} MiB", f"{beside}{other['rss_bytes'] / 2**20:.1f} MiB",
            "≤ 64 MiB" if large else "", not large or own["rss_bytes"] <= AIM_RSS)
        row(f"CPU a probe, {n} peers", f"{own['cpu_per_probe_seconds'] * 1e6:.1f} µs",
            f"{beside}{other['cpu_per_probe_seconds'] * 1e6:.1f} µs", "≤ 40 µs", own["cpu_per_probe_seconds"] <= AIM_PROBE)
        row(f"probes lost, {n} peers", f"{own['probes_lost']:.0f}", f"of {own['probes_expected']:.0f}", "0",
            own["probes_lost"] == 0)
    first, last = results["probes"][0], results["probes"][-1]
    scaling = last["cpu_per_probe_seconds"] / first["cpu_per_probe_seconds"]
    row(f"CPU a probe, {last['peers']} : {first['peers']} peers", f"{scaling:.2f}", "", "≤ 1.3", scaling <= AIM_SCALING)
    one = results["scrape"]
    row(f"CPU a scrape, {one['peers']} peers", f"{one['cpu_per_scrape_seconds'] * 1e3:.2f} ms", f"{one['samples']} samples",
        "≤ 2.4 ms", one["cpu_per_scrape_seconds"] <= AIM_SCRAPE)
    rtt = results["rtt"]
    above = rtt["ping_median_microseconds"] - rtt["echo_median_microseconds"]
    row("RTT, median", f"{rtt['ping_median_microseconds']:.0f} µs", f"bare echo {rtt['echo_median_microseconds']:.0f} µs",
        "≤ echo + 60 µs", above <= AIM_RTT_ABOVE_ECHO)


def measure_monitoring(chosen, place) -> dict:
    results: dict = {"probes": [], "smokeping": []}
    print("RTT")
    results["rtt"] = measure_rtt(chosen.programs, place)
    for count in chosen.peers:
        print(f"{count} peers")
        results["probes"].append(measure_probes(chosen.programs, place, count, chosen.seconds))
        results["smokeping"].append(measure_smokeping(count, chosen.seconds))
    print("scrapes")
    results["scrape"] = measure_scrape(chosen.programs, place, chosen.peers[-1], chosen.scrapes)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release", help="build folder")
    parser.add_argument("--peers", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seconds", type=int, default=30, help="of each measurement of CPU")
    parser.add_argument("--scrapes", type=int, default=30)
    parser.add_argument("--only", choices=["monitoring", "relay"], help="a part of it")
    parser.add_argument("--packets", type=int, default=10_000, help="a second, that relays forward below saturation")
    parser.add_argument("--flood", type=int, default=200_000, help="a second, that saturate them")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "build/bench.json")
    chosen = parser.parse_args()
    nodes.PROGRAMS = chosen.programs.resolve() / "daemon"
    with tempfile.TemporaryDirectory(prefix="peerwatch-bench-") as folder:
        place = pathlib.Path(folder)
        results: dict = {}
        if chosen.only != "relay":
            results |= measure_monitoring(chosen, place)
        if chosen.only != "monitoring":
            print("relay")
            results["relay"] = forwarding.measure(chosen.programs, daemon(place, "relay", "127.0.0.1"), chosen.packets,
                                                  chosen.flood, min(chosen.seconds, 10))
            results["relay"]["greedy"] = forwarding.measure_greedy(chosen.programs, daemon(place, "fair", "127.0.0.1"), 10)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(results, indent=2) + "\n")
    table(results)
    print(f"\nwritten to {chosen.json}")


if __name__ == "__main__":
    main()
