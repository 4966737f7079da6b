"""What a node tells over HTTP: JSON, and metrics in the text format of Prometheus."""
import http.client
import json
import re
import socket
import typing

TIMEOUT = 5.0  # seconds for one request; a node answers in milliseconds
SERIES = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Answer(typing.NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    def json(self):
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float = TIMEOUT):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def request(where: tuple[str, int] | str, method: str, path: str, body: object = None,
            headers: dict[str, str] | None = None, timeout: float = TIMEOUT) -> Answer:
    """`where`: address and port, or the path of a control socket."""
    connection = UnixConnection(where, timeout) if isinstance(where, str) else \
        http.client.HTTPConnection(*where, timeout=timeout)
    try:
        sent = dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        connection.request(method, path, data, sent)
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Metrics:
    """One scrape. Labels given to a query must match; others may be anything."""

    def __init__(self, text: str):
        self.text = text
        self.series: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            found = SERIES.match(line)
            if not found:
                raise ValueError(f"not a line of the text format: {line!r}")
            self.series.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))

    def all(self, name: str, **labels: str) -> list[float]:
        return [value for n, l, value in self.series if n == name and labels.items() <= l.items()]

    def value(self, name: str, **labels: str) -> float | None:
        """The one series that matches, or None; several are a mistake of the test."""
        found = self.all(name, **labels)
        if len(found) > 1:
            raise LookupError(f"{name} {labels} names {len(found)} series")
        return found[0] if found else None

    def sum(self, name: str, **labels: str) -> float:
        return sum(self.all(name, **labels))

    def names(self) -> set[str]:
        return {name for name, _, _ in self.series}
