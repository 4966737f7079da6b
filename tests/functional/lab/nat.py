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


def ruleset(nat: Nat, pool: list[str], seed: int, mapped: bool = False) -> str:
    """`seed`: which of a pool's addresses whom falls to; `mapped`: a port mapper has mappings of its own beside these."""
    life = f"flags dynamic,timeout; timeout {round(nat.timeout * 1000)}ms;"
    mine = "ip daddr { " + ", ".join(pool) + " }"
    looks_at_port = nat.filtering == ADDRESS_AND_PORT
    remote_type = "ipv4_addr . inet_service" if looks_at_port else "ipv4_addr"
    out = [f"map numbers {{ type {MAPPING_TYPES[nat.mapping]} : ipv4_addr . inet_service; size {nat.max_mappings}; {life} }}",
           f"map mappings {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; size {nat.max_mappings}; {life} }}",
           f"set alive {{ type ipv4_addr . inet_service; size {nat.max_mappings}; {life} }}",
           f"set sent {{ type ipv4_addr . inet_service . {remote_type}; size {SENT}; {life} }}"]
    for n in range(len(pool)):
        out += [f"set taken{n} {{ type inet_service; size 65536; {life} }}",
                f"set kept{n} {{ type {MAPPING_TYPES[nat.mapping]}; size {nat.max_mappings}; {life} }}"]

    def chain(name: str, hook: str, rules: list[str]) -> None:
        out.append("\n  ".join([f"chain {name} {{", *([f"type {hook};"] if hook else []), *rules]) + "\n}")

    # ---- inwards
    early, inwards = [], []
    if nat.hairpin == "none":
        early.append(f'iifname "lan" meta l4proto udp {mine} drop')
    else:
        inwards.append(f'iifname "lan" {mine} dnat ip to ip daddr . udp dport map @mappings')
    if nat.filtering == INDEPENDENT:
        inwards.append(f"{IN} {mine} dnat ip to ip daddr . udp dport map @mappings")
    elif nat.filtering == ADDRESS:
        inwards.append(f"{IN} {mine} ip daddr . udp dport . ip saddr @sent dnat ip to ip daddr . udp dport map @mappings")
    # Tracking is refreshed from both sides. Where only what leaves refreshes a mapping, the dead ones are told by "alive":
    # before tracking, unless early probes are to be tracked or others may have a use for what is dead to us.
    dead = "ip daddr . udp dport != @alive drop"
    tracked_first = nat.input_accepts or mapped
    if not nat.inbound_refreshes and not tracked_first:
        early.append(f"{IN} {mine} {dead}")
    chain("early", "filter hook prerouting priority raw", early)
    chain("tracked", "filter hook prerouting priority mangle",
          [f"{IN} {mine} ct direction reply {dead}"] if tracked_first and not nat.inbound_refreshes else [])
    chain("inwards", "nat hook prerouting priority dstnat", inwards)

    # ---- outwards
    pick = []
    if len(pool) > 1:  # an address for a new mapping, as a mark that is read below
        by = "ip saddr" if nat.pooling == "paired" else MAPPING_KEYS[nat.mapping]
        pick.append(f"meta l4proto udp meta mark set jhash {by} mod {len(pool)} seed {seed & 0xffffffff}")
    chain("pick", "filter hook postrouting priority 90", pick)
    for n, outer in enumerate(pool):
        chain(f"fresh{n}", "", new_mapping(nat, n, outer, MOST_LISTED_PORTS // len(pool)))
    key = MAPPING_KEYS[nat.mapping]
    kept = [f"meta l4proto udp {key} @kept{n} snat ip to {outer}" for n, outer in enumerate(pool)]
    chain("translate", "", kept + [f"meta l4proto udp snat ip to {key} map @numbers"] +
          [(f"meta mark {n} " if len(pool) > 1 else "") + f"jump fresh{n}" for n in range(len(pool))])
    outwards = [f"{OUT} jump translate", f'iifname "lan" oifname "wan" meta l4proto != udp snat ip to {pool[0]}']
    if nat.hairpin == "external-source":
        outwards.append(f"{ACROSS} jump translate")
    chain("outwards", "nat hook postrouting priority srcnat", outwards)

    # ---- what there is to learn
    def learn(where: str, outer: str, inner: str) -> list[str]:
        return [f"{where} update @mappings {{ {outer} : {inner} }}", f"{where} update @alive {{ {outer} }}"]

    def learn_new(where: str, remote: str) -> list[str]:
        taken = [f"{where} ip saddr {outer} update @taken{n} {{ udp sport }}" for n, outer in enumerate(pool)]
        kept = [f"{where} {key} @kept{n} update @kept{n} {{ {key} }}" for n in range(len(pool))]
        return [f"{where} update @numbers {{ {key} : {OUTER} }}", *kept, *learn(where, OUTER, FROM), *taken,
                f"{where} update @sent {{ {OUTER} . {remote} }}"]

    remote = "ip daddr . udp dport" if looks_at_port else "ip daddr"
    answered = f"{OUT} ct direction reply"  # flows that began outside; the inner end is the one that answers
    rules = learn_new(f"{OUT} ct direction original", remote)
    rules += learn(answered, OUTER, "ct reply ip saddr . ct reply proto-src")
    rules.append(f"{answered} update @sent {{ {OUTER} . {remote} }}")
    rules.append(f"{OUT} {OUTER} != @alive drop")  # the table is full
    if nat.inbound_refreshes:
        inbound = 'iifname "wan" oifname "lan" meta l4proto udp'
        rules += learn(f"{inbound} ct direction reply", "ct reply ip daddr . ct reply proto-dst", FROM)
        rules += learn(f"{inbound} ct direction original", ASKED, "ct reply ip saddr . ct reply proto-src")
        if nat.filtering != INDEPENDENT:  # who got in had been sent to
            sender = "ip saddr . udp sport" if looks_at_port else "ip saddr"
            rules += [f"{inbound} ct direction reply update @sent {{ ct reply ip daddr . ct reply proto-dst . {sender} }}",
                      f"{inbound} ct direction original update @sent {{ {ASKED} . {sender} }}"]
    if nat.hairpin == "external-source":
        rules += learn_new(f"{ACROSS} ct direction original", ASKED if looks_at_port else "ct original ip daddr")
        if nat.filtering != INDEPENDENT:
            source = OUTER if looks_at_port else "ip saddr"
            rules.append(f"{ACROSS} ct state new {ASKED} . {source} != @sent drop")
    chain("learn", "filter hook postrouting priority 300", rules)
    return "table ip translation {\n" + "\n".join(out) + "\n}\n"
