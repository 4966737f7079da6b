"""Every shell script parses and stops at its first error; every Python file compiles."""
import re
import subprocess

from tree import Problem, Tree

SHELL = re.compile(r"^#!.*\b(?:ba)?sh\b")


def check(tree: Tree) -> list[Problem]:
    problems = []
    for path, text in tree.items():
        if SHELL.match(text):
            problems += shell_problems(path, text)
        elif path.endswith(".py"):
            try:
                compile(text, path, "exec")
            except SyntaxError as error:
                problems.append(Problem(path, error.lineno or 1, error.msg))
    return problems


def shell_problems(path: str, text: str) -> list[Problem]:
    problems = []
    parsed = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    if parsed.returncode != 0:
        line = re.search(r"line (\d+)", parsed.stderr)
        problems.append(Problem(path, int(line[1]) if line else 1, parsed.stderr.strip().splitlines()[0]))
    if not re.search(r"^set -[a-z]*e", text, re.M):
        problems.append(Problem(path, 1, "a script without set -e goes on after an error"))
    return problems
