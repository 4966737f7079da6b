"""Reads PromQL as far as the lint of names needs: which series an expression selects, and what is done with each of them."""
import dataclasses
import re

TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z_:][\w:]*)|"""
                   r"""(?P<number>\d[\w.]*|\.\d+)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^(){}\[\],=<>@:])""")
AGGREGATIONS = {"sum", "min", "max", "avg", "count", "group", "stddev", "topk", "bottomk", "quantile", "count_values"}
JOINS = {"on", "ignoring", "group_left", "group_right"}
WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}


class NotUnderstood(Exception):
    pass


@dataclasses.dataclass
class Call:
    """A function, an aggregation with the labels that are left (`by`), or plain parentheses ("")."""
    function: str
    by: list[str] | None = None
    selected: list["Selected"] = dataclasses.field(default_factory=list)  # everything within


@dataclasses.dataclass
class Selected:
    name: str
    matchers: list[tuple[str, str, str]]  # label, operator, value
    ranged: bool
    within: list[Call]                    # innermost first

    @property
    def function(self) -> str:
        """What is applied to the series themselves."""
        return next((call.function for call in self.within if call.function), "")


@dataclasses.dataclass
class Expression:
    selected: list[Selected]
    calls: list[Call]
    joined: list[str]  # labels of on(), ignoring(), group_left()


def tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise NotUnderstood(f"{text[position:position + 20]!r}")
        position = match.end()
        if match.lastgroup:
            found.append((match.lastgroup, match[match.lastgroup]))
    return found + [("end", "")]


class Reader:
    def __init__(self, text: str):
        self.tokens, self.at = tokens(text), 0
        self.open: list[Call] = []
        self.told = Expression([], [], [])

    def peek(self) -> str:
        return self.tokens[self.at][1]

    def take(self, wanted: str | None = None) -> str:
        kind, text = self.tokens[self.at]
        if kind == "end" or (wanted is not None and text != wanted):
            raise NotUnderstood(f"{text or 'the end'!r} instead of {wanted!r}")
        self.at += 1
        return text

    def labels(self) -> list[str]:
        self.take("(")
        found = []
        while self.peek() != ")":
            found.append(self.take())
            if self.peek() == ",":
                self.take()
        self.take(")")
        return found

    def read(self) -> Expression:
        while self.tokens[self.at][0] != "end":
            kind, text = self.tokens[self.at]
            if kind == "word":
                self.word(self.take())
            elif text == "(":
                self.take()
                self.open.append(Call(""))
            elif text == ")":
                self.take()
                if not self.open:
                    raise NotUnderstood("a parenthesis too many")
                self.told.calls.append(self.open.pop())
            else:
                self.take()
        if self.open:
            raise NotUnderstood("a parenthesis is not closed")
        return self.told

    def word(self, word: str) -> None:
        if word in AGGREGATIONS:
            by = None
            if self.peek() in ("by", "without"):
                if self.take() == "without":
                    raise NotUnderstood("say what is left: by (…)")
                by = self.labels()
            self.take("(")
            self.open.append(Call(word, by or []))
        elif word in JOINS:
            if self.peek() == "(":
                self.told.joined += self.labels()
        elif word in WORDS:
            pass
        elif self.peek() == "(":
            self.take()
            self.open.append(Call(word))
        else:
            self.selector(word)

    def selector(self, name: str) -> None:
        matchers = []
        if self.peek() == "{":
            self.take()
            while self.peek() != "}":
                matchers.append((self.take(), self.take(), self.take()[1:-1]))
                if self.peek() == ",":
                    self.take()
            self.take("}")
        ranged = self.peek() == "["
        while ranged and self.take() != "]":
            pass
        one = Selected(name, matchers, ranged, list(reversed(self.open)))
        self.told.selected.append(one)
        for call in self.open:
            call.selected.append(one)


def read(text: str) -> Expression:
    """Grafana's variables are filled in first: those of its own are durations."""
    return Reader(re.sub(r"\$__(rate_interval|interval|range)\b", "5m", text)).read()
