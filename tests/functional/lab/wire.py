"""Segments, and with the engine "userspace" routers too, in one process that owns the far end of their cables: lab_wire, which is
the simulator's own network in real time. Its --help says how it is told what.
"""
import json
import pathlib
import subprocess
import unittest

from .internet import Internet
from .space import built, die_with_parent

ENDS_WITHIN = 20  # seconds; sanitizers are slow


def program() -> pathlib.Path | None:
    """None: this build has none."""
    return built("functional/wire/lab_wire")


def needed() -> None:
    """By a test: without it there is nothing to see."""
    if program() is None:
        raise unittest.SkipTest("this build has no lab_wire")


class Wire:
    def __init__(self, net: Internet):
        ports = [f"--port={device}:{segment}={cable.port}" for (device, segment), cable in net.carried().items()]
        self.process = subprocess.Popen([program(), f"--scenario={net.scenario.file}", *ports], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        self.answers("ready")

    def answers(self, expected: str) -> None:
        said = self.process.stdout.readline().strip()
        if said != expected:
            self.process.kill()
            raise RuntimeError(f"lab_wire said {said!r} instead of {expected!r} (status {self.process.wait()})")

    def tell(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.answers("ok")

    def start(self) -> None:
        """The scenario's time begins; it does what befalls links, routers and addresses by itself."""
        self.tell("start")

    def do(self, **action: str) -> None:
        self.tell(json.dumps(action))

    def close(self) -> str:
        """What it counted, as a line of JSON."""
        self.process.stdin.close()
        with self.process.stdout:
            try:
                status = self.process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
            if status != 0:
                raise RuntimeError(f"lab_wire ended with {status}")
            return self.process.stdout.read()
