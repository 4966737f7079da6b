"""The laboratory: real daemons on real kernels, in network namespaces. docs/testing.md says what is where."""
from .flat import OWN_ADDRESS, SUBNET, Host, Lab
from .load import load as load_scenario
from .space import SKIPPED, Space, die_with_parent, enter, run, skip

__all__ = ["OWN_ADDRESS", "SKIPPED", "SUBNET", "Host", "Lab", "Space", "die_with_parent", "enter", "load_scenario", "run", "skip"]
