"""A NAT of a scenario as rules of nftables, on interfaces "wan" and "lan".

The kernel by itself keeps ports where it can, translates each flow for itself, and filters by address and port. Everything else
is learned from what leaves, after translation, when both ends of a mapping are known, and lives as long as the mapping does:

    numbers   what the mapping depends on → its outer address and port: the next flow of that mapping gets the same
    mappings  outer address and port → inner ones: whom to let in to
    alive     outer address and port: mappings that something has left through lately
    takenN    ports in use on the Nth address of the pool
    keptN     what mappings that kept their port there depend on: the kernel is asked for the same again, not told, so that a
              tracked early probe takes the port away from its flow, as it does on routers in the field
    sent      outer address and port, and the remote (with its port, if filtering looks at it) that it has sent to

Unlike the simulator's, this NAT may use a random port for two mappings at once if their remotes differ; and a flow that began
outside is answered from where it came in, whatever the mapping would be.
"""
from .scenario import Nat

# Ports of a sequential allocator, of all addresses together, before it begins again: they stand in the rules, which an
# ordinary user loads in one message of limited size.
MOST_LISTED_PORTS = 4000
SENT = 65536  # remotes of all mappings
INDEPENDENT, ADDRESS, ADDRESS_AND_PORT = "endpoint-independent", "address-dependent", "address-and-port-dependent"
MAPPING_TYPES = {INDEPENDENT: "ipv4_addr . inet_service", ADDRESS: "ipv4_addr . inet_service . ipv4_addr",
                 ADDRESS_AND_PORT: "ipv4_addr . inet_service . ipv4_addr . inet_service"}
FROM, ASKED = "ct original ip saddr . ct original proto-src", "ct original ip daddr . ct original proto-dst"
MAPPING_KEYS = {INDEPENDENT: FROM, ADDRESS: f"{FROM} . ct original ip daddr", ADDRESS_AND_PORT: f"{FROM} . {ASKED}"}
OUTER = "ip saddr . udp sport"  # of what leaves, once it is translated
IN, OUT = 'iifname "wan" meta l4proto udp', 'oifname "wan" meta l4proto udp'
ACROSS = 'iifname "lan" oifname "lan" meta l4proto udp ct status dnat'  # hairpinned


def new_mapping(nat: Nat, n: int, outer: str, most: int) -> list[str]:
    """Rules that give a flow of no mapping yet a port on the pool's nth address."""
    anywhere = f"meta l4proto udp snat ip to {outer}:{nat.first_port}-{nat.last_port} fully-random"
    match nat.ports:
        case "preserving":
            keep = f"add @kept{n} {{ {MAPPING_KEYS[nat.mapping]} }}"
            return [f"meta l4proto udp udp sport != @taken{n} {keep} snat ip to {outer}", anywhere]
        case "sequential":
            ports = list(range(nat.first_port, nat.last_port + 1))
            ports = (ports[::nat.step] if nat.step > 0 else ports[::-1][::-nat.step])[:most]
            # A port that the kernel computes by itself would have its bytes swapped: it is looked up instead.
            return [f"meta l4proto udp snat ip to {outer}:numgen inc mod {len(ports)} map {{ " +
                    ", ".join(f"{i} : {port}" for i, port in enumerate(ports)) + " }"]
        case _:
            return [anywhere]


class Translation:
    def __init__(self, nat: Nat, pool: list[str], seed: int, mapped: bool):
        self.nat, self.pool, self.seed = nat, pool, seed
        self.key = MAPPING_KEYS[nat.mapping]
        self.mine = "ip daddr { " + ", ".join(pool) + " }"
        self.looks_at_port = nat.filtering == ADDRESS_AND_PORT
        # Whether early probes are to be tracked, or others may have a use for what belongs to no mapping of ours.
        self.tracked_first = nat.input_accepts or mapped
        self.out: list[str] = []

    def chain(self, name: str, hook: str, rules: list[str]) -> None:
        self.out.append("\n  ".join([f"chain {name} {{", *([f"type {hook};"] if hook else []), *rules]) + "\n}")

    def sets(self) -> None:
        nat, life = self.nat, f"flags dynamic,timeout; timeout {round(self.nat.timeout * 1000)}ms;"
        key, outer = MAPPING_TYPES[nat.mapping], "ipv4_addr . inet_service"
        remote = "ipv4_addr . inet_service" if self.looks_at_port else "ipv4_addr"
        self.out += [f"map numbers {{ type {key} : {outer}; size {nat.max_mappings}; {life} }}",
                     f"map mappings {{ type {outer} : ipv4_addr . inet_service; size {nat.max_mappings}; {life} }}",
                     f"set alive {{ type {outer}; size {nat.max_mappings}; {life} }}",
                     f"set sent {{ type {outer} . {remote}; size {SENT}; {life} }}"]
        for n in range(len(self.pool)):
            self.out += [f"set taken{n} {{ type inet_service; size 65536; {life} }}",
                         f"set kept{n} {{ type {key}; size {nat.max_mappings}; {life} }}"]

    def inwards(self) -> None:
        nat, arrives, dnat = self.nat, f"{IN} {self.mine}", "dnat ip to ip daddr . udp dport map @mappings"
        early, tracked, inwards = [], [], []
        if nat.hairpin == "none":
            early.append(f'iifname "lan" meta l4proto udp {self.mine} drop')
        else:
            inwards.append(f'iifname "lan" {self.mine} {dnat}')
        if nat.filtering == INDEPENDENT:
            inwards.append(f"{arrives} {dnat}")
        elif nat.filtering == ADDRESS:
            inwards.append(f"{arrives} ip daddr . udp dport . ip saddr @sent {dnat}")
        # Tracking is refreshed from both sides. Where only what leaves refreshes a mapping, "alive" tells the dead ones.
        if not nat.inbound_refreshes:
            dead = "ip daddr . udp dport != @alive drop"
            if self.tracked_first:
                tracked.append(f"{arrives} ct direction reply {dead}")
            else:
                early.append(f"{arrives} {dead}")
        self.chain("early", "filter hook prerouting priority raw", early)
        self.chain("tracked", "filter hook prerouting priority mangle", tracked)
        self.chain("inwards", "nat hook prerouting priority dstnat", inwards)

    def outwards(self) -> None:
        nat, pool, pick = self.nat, self.pool, []
        if len(pool) > 1:  # an address for a new mapping, as a mark that is read below
            by = "ip saddr" if nat.pooling == "paired" else self.key
            pick.append(f"meta l4proto udp meta mark set jhash {by} mod {len(pool)} seed {self.seed & 0xffffffff}")
        self.chain("pick", "filter hook postrouting priority 90", pick)
        for n, outer in enumerate(pool):
            self.chain(f"fresh{n}", "", new_mapping(nat, n, outer, MOST_LISTED_PORTS // len(pool)))
        self.chain("translate", "",
                   [f"meta l4proto udp {self.key} @kept{n} snat ip to {outer}" for n, outer in enumerate(pool)] +
                   [f"meta l4proto udp snat ip to {self.key} map @numbers"] +
                   [(f"meta mark {n} " if len(pool) > 1 else "") + f"jump fresh{n}" for n in range(len(pool))])
        self.chain("outwards", "nat hook postrouting priority srcnat", [
            f"{OUT} jump translate", f'iifname "lan" oifname "wan" meta l4proto != udp snat ip to {pool[0]}',
            *([f"{ACROSS} jump translate"] if nat.hairpin == "external-source" else [])])

    # ---- what there is to learn
    @staticmethod
    def learn(where: str, outer: str, inner: str) -> list[str]:
        return [f"{where} update @mappings {{ {outer} : {inner} }}", f"{where} update @alive {{ {outer} }}"]

    def learn_new(self, where: str, remote: str) -> list[str]:
        """Of a flow that began inside."""
        pool = list(enumerate(self.pool))
        return [f"{where} update @numbers {{ {self.key} : {OUTER} }}",
                *(f"{where} {self.key} @kept{n} update @kept{n} {{ {self.key} }}" for n, _ in pool),
                *self.learn(where, OUTER, FROM),
                *(f"{where} ip saddr {outer} update @taken{n} {{ udp sport }}" for n, outer in pool),
                f"{where} update @sent {{ {OUTER} . {remote} }}"]

    def learning(self) -> None:
        nat, remote = self.nat, "ip daddr . udp dport" if self.looks_at_port else "ip daddr"
        answered, answerer = f"{OUT} ct direction reply", "ct reply ip saddr . ct reply proto-src"  # flows that began outside
        rules = self.learn_new(f"{OUT} ct direction original", remote)
        rules += self.learn(answered, OUTER, answerer)
        rules.append(f"{answered} update @sent {{ {OUTER} . {remote} }}")
        rules.append(f"{OUT} {OUTER} != @alive drop")  # the table is full
        if nat.inbound_refreshes:
            back, anew = (f'iifname "wan" oifname "lan" meta l4proto udp ct direction {way}' for way in ("reply", "original"))
            at = "ct reply ip daddr . ct reply proto-dst"
            rules += self.learn(back, at, FROM) + self.learn(anew, ASKED, answerer)
            if nat.filtering != INDEPENDENT:  # who got in had been sent to
                sender = "ip saddr . udp sport" if self.looks_at_port else "ip saddr"
                rules += [f"{back} update @sent {{ {at} . {sender} }}", f"{anew} update @sent {{ {ASKED} . {sender} }}"]
        if nat.hairpin == "external-source":
            asked, source = (ASKED, OUTER) if self.looks_at_port else ("ct original ip daddr", "ip saddr")
            rules += self.learn_new(f"{ACROSS} ct direction original", asked)
            if nat.filtering != INDEPENDENT:
                rules.append(f"{ACROSS} ct state new {ASKED} . {source} != @sent drop")
        self.chain("learn", "filter hook postrouting priority 300", rules)


def ruleset(nat: Nat, pool: list[str], seed: int, mapped: bool = False) -> str:
    """`seed`: which of a pool's addresses whom falls to; `mapped`: a port mapper has mappings of its own beside these."""
    made = Translation(nat, pool, seed, mapped)
    made.sets()
    made.inwards()
    made.outwards()
    made.learning()
    return "table ip translation {\n" + "\n".join(made.out) + "\n}\n"
