"""The far end of every cable in one process: the simulator's own segments, links and routers, in real time.

    lab_wire --scenario FILE --port HOST:SEGMENT=INTERFACE …

prints "ready" when it owns every interface, begins the scenario's time at a line "start" on its standard input, does the
file's actions on links, routers and addresses by itself, and ends with its input. Other lines on its standard input are
actions of the file's language as JSON, done at once. When it ends it prints what it counted.
"""
import os
import pathlib
import subprocess

from .internet import Internet
from .space import die_with_parent

READY_TIMEOUT = 20  # seconds; sanitizers are slow


def program() -> pathlib.Path | None:
    """None: this build has none."""
    named = os.environ.get("PEERWATCH_LAB_WIRE")
    return pathlib.Path(named) if named and pathlib.Path(named).exists() else None


class Wire:
    def __init__(self, net: Internet):
        ports = [f"--port={host}:{segment}={cable.port}" for (host, segment), cable in net.cables.items()]
        self.process = subprocess.Popen([program(), f"--scenario={net.scenario.file}", *ports], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        said = self.process.stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"lab_wire said {said!r} and ended with {self.process.wait(READY_TIMEOUT)}")

    def start(self) -> None:
        self.process.stdin.write("start\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.stdin.close()
        try:
            status = self.process.wait(READY_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if status != 0:
            raise RuntimeError(f"lab_wire ended with {status}")
