"""What every C++ file owes: a bounded length, #pragma once in headers, its room's namespace."""
import re

from tree import Problem, Tree, is_cpp, room_of

ASK_ABOVE = 400   # lines: reported, so that somebody asks why
FAIL_ABOVE = 500  # lines: one idea a file does not take that many
SOURCES = re.compile(r"\.(cpp|hpp|py|sh|cmake)$")
# CMake takes an unpaired bracket in a test's name for the start of a list: the tests after it would silently become one
# that matches nothing.
BRACKETED_NAME = re.compile(r'^TEST_CASE\("[^"]*[\[\]]')
# Programs' entry points and the files that only instantiate a library hold no namespace of ours.
WITHOUT_NAMESPACE = re.compile(r"(^|/)main\.cpp$|^daemon/io/asio/")


def check(tree: Tree) -> list[Problem]:
    problems = []
    for path, text in tree.items():
        lines = text.count("\n") + 1
        if SOURCES.search(path) and lines > FAIL_ABOVE:
            problems.append(Problem(path, FAIL_ABOVE, f"{lines} lines: split it (limit {FAIL_ABOVE})"))
        if path.endswith(".hpp") and "#pragma once" not in text:
            problems.append(Problem(path, 1, "a header without #pragma once"))
        for number, line in enumerate(text.splitlines(), 1):
            if path.startswith("tests/") and BRACKETED_NAME.search(line):
                problems.append(Problem(path, number, "a bracket in a test's name"))
        room = room_of(path)
        if is_cpp(path) and room and not WITHOUT_NAMESPACE.search(path):
            wanted = "pw" if room == "base" else f"pw::{room}"
            if not re.search(rf"^namespace {wanted}(::\w+)* {{", text, re.M) and not only_macros(text):
                problems.append(Problem(path, 1, f"a file of room {room} without namespace {wanted}"))
    return problems


def only_macros(text: str) -> bool:
    """A file that merely includes others."""
    return all(not line.strip() or line.lstrip().startswith(("#", "//")) for line in text.splitlines())


def long_files(tree: Tree) -> list[str]:
    return [f"{path}: {text.count(chr(10)) + 1} lines" for path, text in tree.items()
            if SOURCES.search(path) and text.count("\n") + 1 > ASK_ABOVE]
