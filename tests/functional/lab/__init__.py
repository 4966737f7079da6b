"""The laboratory: real daemons on real kernels, in network namespaces. docs/testing.md says what is where."""
from .flat import OWN_ADDRESS, SUBNET, Host, Lab
from .load import load as load_scenario
from .outcome import main
from .space import SKIPPED, Space, built, die_with_parent, enter, run, skip

__all__ = ["OWN_ADDRESS", "SKIPPED", "SUBNET", "Host", "Lab", "Space", "built", "die_with_parent", "enter", "load_scenario",
           "main", "run", "skip"]
