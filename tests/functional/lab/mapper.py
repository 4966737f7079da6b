"""A router's port mapper: miniupnpd, as routers in the field have it, speaking NAT-PMP and PCP, and UPnP IGD.

It refuses to map when its outer address is private, a carrier's or a documentation's: those of a scenario should not be.
"""
import pathlib
import subprocess
import uuid

from .scenario import PortMapper
from .space import Space

PORT = 5351          # NAT-PMP and PCP
HTTP_PORT = 5000     # of UPnP; SSDP tells it
INSIDE = 8           # bits of the inner address that its clients share: whoever is inside may ask
# What it fills in by itself. Its translations come before ours, which then have nothing to decide.
RULES = """table inet filter {
chain miniupnpd {
}
chain prerouting_miniupnpd {
}
chain postrouting_miniupnpd {
}
chain forward {
type filter hook forward priority -10;
jump miniupnpd
}
chain prerouting {
type nat hook prerouting priority -110;
jump prerouting_miniupnpd
}
chain postrouting {
type nat hook postrouting priority 95;
jump postrouting_miniupnpd
}
}
"""


def speaks(mapper: PortMapper) -> bool:
    return mapper.nat_pmp or mapper.pcp or mapper.upnp


class Mapper:
    """Runs until stop(). RULES are to be there before, and are to be made anew with the next one."""

    def __init__(self, space: Space, mapper: PortMapper, inner: str):
        base = pathlib.Path(f"/run/miniupnpd-{space.name}")
        options = {"ext_ifname": "wan", "listening_ip": f"{inner}/{INSIDE}", "http_port": HTTP_PORT, "secure_mode": "no",
                   "enable_upnp": "yes" if mapper.upnp else "no", "enable_natpmp": "yes" if mapper.nat_pmp else "no",
                   "min_lifetime": 1, "max_lifetime": round(mapper.max_lifetime), "upnp_table_name": "filter",
                   "upnp_nat_table_name": "filter", "upnp_forward_chain": "miniupnpd",
                   "upnp_nat_chain": "prerouting_miniupnpd", "upnp_nat_postrouting_chain": "postrouting_miniupnpd",
                   "uuid": uuid.uuid5(uuid.NAMESPACE_DNS, space.name)}
        permission = "allow 1-65535 0.0.0.0/0 1-65535"
        base.with_suffix(".conf").write_text("\n".join([f"{k}={v}" for k, v in options.items()] + [permission, ""]))
        self.process = space.spawn(
            ["miniupnpd", "-d", "-f", str(base.with_suffix(".conf")), "-P", str(base.with_suffix(".pid"))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
