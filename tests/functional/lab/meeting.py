"""Two daemons who know each other by their ids only, and a server, bootstrap and relay to them, with two addresses, so that it can
tell them what their NATs do."""
import contextlib
import pathlib
import tempfile

import certificate

from . import sketch, wire
from .engines import KERNEL
from .internet import Internet
from .runner import PORT, Daemon
from .scenario import Scenario

ROLES = ["bootstrap", "relay"]


class Meeting:
    """Of the hosts `ends` of a sketch, on kernels, and where its links are more than these have, on lab_wire. All are there and configured, nobody is started yet.
    `websocket`: the server is there by WebSocket, too, and both ends know where."""

    def __init__(self, cleanup: contextlib.ExitStack, scenario: Scenario, ends: tuple[str, str] = ("h0", "h1"), websocket: bool = False):
        self.net = net = Internet(scenario, KERNEL)
        cleanup.callback(net.close)
        if net.carried():
            carrier = wire.Wire(net)
            cleanup.callback(carrier.close)
            carrier.start()
        folder = pathlib.Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="peerwatch-test-")))
        self.server, self.a, self.b = self.daemons = [
            Daemon(net.hosts[name], net.scenario.hosts[name], folder) for name in ("public", *ends)]
        self.pair = ((self.a, self.b), (self.b, self.a))  # each with its peer
        self.server.config["node"]["roles"] = ROLES
        self.server.config["network"]["listen"] = [f"{sketch.PUBLIC}:{PORT}"]
        self.server.config["bootstrap_server"] = {"stun_alternate": [f"{sketch.OTHER}:{PORT + 1}"]}
        self.server.config["peer"] = [{"id": n.id, "name": n.name} for n in (self.a, self.b)]
        self.websocket = {"websocket": f"wss://{sketch.PUBLIC}/relay"} if websocket else {}
        if websocket:
            pem, key = certificate.make(folder)
            self.server.config["relay_server"] = {"websocket_listen": f"{sketch.PUBLIC}:443", "tls_certificate": str(pem),
                                                  "tls_key": str(key)}
        for here, there in self.pair:
            here.config["peer"] = [{"id": there.id, "name": there.name}]
            here.config |= self.servers
        cleanup.callback(self.kill)

    @property
    def servers(self) -> dict:
        """Of a daemon's configuration."""
        block = {"id": self.server.id, "name": "server", "addresses": [f"{sketch.PUBLIC}:{PORT}"]} | self.websocket
        return {"bootstrap": [block], "relay": [block]}

    def start(self) -> None:
        for daemon in self.daemons:
            daemon.start()

    def paths(self) -> tuple[str, str]:
        """What carries the session, as each end tells it."""
        return tuple((here.peer(there) or {}).get("path", "none") for here, there in self.pair)

    def are(self, path: str) -> bool:
        return self.paths() == (path, path)

    def problems(self) -> list[str]:
        """At the end: of those that don't stop as they should, or have said anything terrible."""
        found = []
        for daemon in self.daemons:
            if daemon.alive and (status := daemon.stop()) != 0:
                found.append(f"{daemon.name} ended with {status} on SIGTERM")
            found += daemon.problems_in_log()
        return found

    def kill(self) -> None:
        for daemon in self.daemons:
            if daemon.alive:
                daemon.kill()
