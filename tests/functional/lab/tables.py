"""Reading TOML tables strictly: what was not taken is an error, and an error says where."""
import re
import typing

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# Whole numbers with units, the larger first, as in the configuration.
DURATION = re.compile("".join(rf"(?:(\d+){unit})?" for unit in UNITS))
REQUIRED = object()


class Bad(Exception):
    """The file is at fault."""


def duration(text: object) -> float | None:
    """Seconds; None when it is no duration."""
    found = DURATION.fullmatch(text) if isinstance(text, str) and text else None
    if not found:
        return None
    return sum(int(number) * unit for number, unit in zip(found.groups(), UNITS.values()) if number)


class Table:
    """One table, and what of it is still to be read."""

    def __init__(self, where: str, data: object):
        self.where = where
        if not isinstance(data, dict):
            raise Bad(f"{where}: expected a table")
        self.data, self.left = data, dict(data)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def bad(self, what: str) -> typing.NoReturn:
        raise Bad(f"{self.where}: {what}")

    def done(self) -> None:
        if self.left:
            self.bad(f"unknown key {', '.join(sorted(self.left))}")

    def raw(self, key: str, default=REQUIRED):
        if key in self.data:
            return self.data[key]
        if default is REQUIRED:
            self.bad(f"needs {key}")
        return default

    def _take(self, key: str, default, kind: str, accept: typing.Callable):
        value = self.raw(key, default)
        if key not in self.data:
            return value
        self.left.pop(key, None)
        accepted = accept(value)
        if accepted is None:
            self.bad(f"{key}: expected {kind}, found {value!r}")
        return accepted

    def text(self, key: str, default=REQUIRED) -> str:
        return self._take(key, default, "a text", lambda v: v if isinstance(v, str) and v else None)

    def flag(self, key: str, default=REQUIRED) -> bool:
        return self._take(key, default, "true or false", lambda v: v if isinstance(v, bool) else None)

    def number(self, key: str, default=REQUIRED, low: float = 0, high: float = 1e9) -> float:
        def accept(v):
            return v if isinstance(v, (int, float)) and not isinstance(v, bool) and low <= v <= high else None
        return self._take(key, default, f"a number from {low} to {high}", accept)

    def share(self, key: str, default=REQUIRED) -> float:
        return self.number(key, default, 0, 1)

    def integer(self, key: str, default=REQUIRED, low: int = 0, high: int = 1 << 31) -> int:
        def accept(v):
            return v if isinstance(v, int) and not isinstance(v, bool) and low <= v <= high else None
        return self._take(key, default, f"a whole number from {low} to {high}", accept)

    def duration(self, key: str, default=REQUIRED, zero: bool = True) -> float:
        found = self._take(key, default, 'a duration like "250ms"', duration)
        if found == 0 and not zero:
            self.bad(f"{key}: must not be 0")
        return found

    def word(self, key: str, words: tuple[str, ...], default=REQUIRED) -> str:
        return self._take(key, default, f"one of {', '.join(words)}", lambda v: v if v in words else None)

    def texts(self, key: str, default=REQUIRED) -> list[str]:
        def accept(v):
            return v if isinstance(v, list) and all(isinstance(x, str) and x for x in v) and len(set(v)) == len(v) else None
        return self._take(key, default, "a list of texts, none twice", accept)

    def integers(self, key: str) -> list[int]:
        def accept(v):
            return v if isinstance(v, list) and all(isinstance(x, int) and 0 < x < 65536 for x in v) else None
        return self._take(key, [], "a list of ports", accept)

    def pair(self, key: str) -> tuple[str, str]:
        pair = self.texts(key)
        if len(pair) != 2 or pair[0] == pair[1]:
            self.bad(f"{key}: expected two names")
        return pair[0], pair[1]

    def table(self, key: str, optional: bool = False) -> "Table | None":
        if optional and key not in self.data:
            return None
        value = self.raw(key)
        self.left.pop(key, None)
        return Table(f"{self.where}: {key}", value)

    def tables(self, key: str) -> list["Table"]:
        value = self.raw(key, [])
        self.left.pop(key, None)
        if not isinstance(value, list):
            self.bad(f"{key}: expected [[{key}]]")
        return [Table(f"{self.where}: {key} {self._label(n, t)}", t) for n, t in enumerate(value)]

    def tables_or_one(self, key: str) -> list["Table"]:
        return self.tables(key) if isinstance(self.raw(key), list) else [self.table(key)]

    @staticmethod
    def _label(number: int, data: object) -> str:
        name = data.get("name") if isinstance(data, dict) else None
        return name if isinstance(name, str) else str(number)
