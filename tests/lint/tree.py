"""The project's own text files, as a mapping from path to text, so that a rule can be tried on a made-up tree too."""
import pathlib
import typing

SKIPPED_FOLDERS = {".git", "build", "node_modules", ".cache", "__pycache__"}


class Problem(typing.NamedTuple):
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


Tree = dict[str, str]


def read(root: pathlib.Path) -> Tree:
    """Every text file below root. What is not UTF-8 (corpora, images) is data, not text."""
    tree: Tree = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if SKIPPED_FOLDERS & set(relative.parts) or not path.is_file() or path.is_symlink():
            continue
        try:
            tree[relative.as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return tree


def is_cpp(path: str) -> bool:
    return path.endswith((".cpp", ".hpp"))


def room_of(path: str) -> str | None:
    """The room that a file below daemon/ belongs to; None for daemon/main.cpp and everything elsewhere."""
    parts = path.split("/")
    return parts[1] if parts[0] == "daemon" and len(parts) > 2 else None
