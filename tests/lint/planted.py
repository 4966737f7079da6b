"""The swarm's list of planted bugs: each line that it breaks stands exactly once in its file."""
from tree import Problem, Tree

LIST = "tests/sim/planted/bugs.py"


def check(tree: Tree) -> list[Problem]:
    scope: dict = {"__name__": "bugs"}
    exec(compile(tree[LIST], LIST, "exec"), scope)  # a list of ours, not input
    problems = []
    for bug in scope["BUGS"]:
        count = tree.get(f"daemon/{bug.file}", "").count(bug.right)
        if count != 1:
            problems.append(Problem(LIST, line_of(tree[LIST], bug.name),
                                    f"“{bug.name}”: its line stands {count} times in daemon/{bug.file}"))
        if bug.right == bug.wrong:
            problems.append(Problem(LIST, line_of(tree[LIST], bug.name), f"“{bug.name}” breaks nothing"))
    return problems


def line_of(text: str, name: str) -> int:
    return text[:text.index(name)].count("\n") + 1
