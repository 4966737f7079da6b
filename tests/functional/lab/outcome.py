"""How a test file ends: what was not shown does not count as passed."""
import sys
import typing
import unittest

from .space import SKIPPED


def main() -> typing.NoReturn:
    """As unittest.main(). Exits with 1 when something failed, else with SKIPPED when a part of it could not be run here,
    which is listed last."""
    result = unittest.main(verbosity=2, exit=False).result
    for test, why in result.skipped:
        print(f"skipped: {test}: {why}", file=sys.stderr)
    sys.exit(1 if not result.wasSuccessful() else SKIPPED if result.skipped else 0)
