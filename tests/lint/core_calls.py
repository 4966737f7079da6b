"""The core never reads a clock, entropy, the environment, a file, and starts no thread: `now` and Rng are handed in."""
import re

from rooms import CORE
from tree import Problem, Tree, is_cpp, room_of

BANNED = [
    (r"\w*clock\s*::\s*now\b", "reads a clock"),
    (r"\b(?:clock_gettime|gettimeofday|timespec_get)\b", "reads a clock"),
    (r"(?<![\w.>:])(?:std\s*::\s*)?time\s*\(\s*(?:NULL|nullptr|0|&)", "reads a clock"),
    (r"\brandom_device\b", "draws entropy"),
    (r"(?<![\w.>])(?:(?:std\s*::\s*)?rand\s*\(\s*\)|(?:std\s*::\s*)?srand\s*\()", "draws unseeded numbers"),
    (r"(?<![\w>])::\s*(?:socket|bind|connect|send|sendto|sendmsg|recv|recvfrom|recvmsg|open|read|write)\s*\(", "does I/O"),
    (r"\b(?:getrandom|getentropy|gnutls_rnd)\s*\(", "draws entropy"),
    (r"\bstd\s*::\s*(?:mt19937\w*|default_random_engine|shuffle)\b", "uses a generator other than Rng"),
    (r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>])sleep\s*\(", "sleeps"),
    (r"\b(?:secure_)?getenv\b", "reads the environment"),
    (r"\bstd\s*::\s*(?:jthread|thread|mutex|recursive_mutex|shared_mutex|lock_guard|unique_lock|scoped_lock|"
     r"condition_variable\w*|atomic\w*|async|promise|future)\b|\bthread_local\b", "knows threads"),
    (r"\bstd\s*::\s*c(?:out|err|in|log)\b", "uses streams of the process"),
    (r"\bstd\s*::\s*function\b", "stores a callback: outputs are polled values"),
    (r"\bf?open\s*\(\s*\"|\bstd\s*::\s*[io]?fstream\b", "opens a file"),
]
RULES = [(re.compile(pattern), why) for pattern, why in BANNED]
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)


def code_only(text: str) -> str:
    """Comments and the inside of strings blanked out, line numbers kept."""
    def blank(found: re.Match[str]) -> str:
        kept = '""' if found[0].startswith('"') else " "
        return kept + "\n" * found[0].count("\n")
    return COMMENT_OR_STRING.sub(blank, text)


def check(tree: Tree) -> list[Problem]:
    problems = []
    for path, text in tree.items():
        if not is_cpp(path) or room_of(path) not in CORE:
            continue
        for number, line in enumerate(code_only(text).splitlines(), 1):
            for pattern, why in RULES:
                found = pattern.search(line)
                if found:
                    problems.append(Problem(path, number, f"the core {why}: {found[0]}"))
    return problems
