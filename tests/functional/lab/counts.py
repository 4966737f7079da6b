"""What a machine's kernel sends and takes, by address: counted below its daemon, which is not asked."""
import json

from .space import Space

ADDRESSES = 1024
RULES = "table ip counts {\n" + "\n".join(
    f"""set {name} {{ type inet_proto . ipv4_addr; flags dynamic; counter; size {ADDRESSES}; }}
chain {name} {{
type filter hook {hook} priority 0;
meta l4proto {{ tcp, udp }} update @{name} {{ ip protocol . ip {side} counter }}
}}""" for name, hook, side in (("sent", "output", "daddr"), ("received", "input", "saddr"))) + "\n}\n"


class Counts:
    def __init__(self, space: Space):
        self.space = space
        space.run("nft", "-f", "-", given=RULES)

    def packets(self, way: str) -> dict[tuple[str, str], int]:
        """`way`: sent or received. By protocol and the other's address."""
        found = json.loads(self.space.run("nft", "-j", "list", "set", "ip", "counts", way))["nftables"]
        elements = next(entry["set"].get("elem", []) for entry in found if "set" in entry)
        return {tuple(e["elem"]["val"]["concat"]): e["elem"]["counter"]["packets"] for e in elements}
