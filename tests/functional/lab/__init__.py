"""The laboratory: real daemons on real kernels, in network namespaces. docs/testing.md says what is where."""
from .flat import OWN_ADDRESS, SUBNET, Host, Lab
from .space import Space, die_with_parent, enter, run

__all__ = ["OWN_ADDRESS", "SUBNET", "Host", "Lab", "Space", "die_with_parent", "enter", "run"]
