"""Who may include whom: the one table. A room sees what stands in its row, and itself."""
import re

from tree import Problem, Tree, is_cpp, room_of

CORE = ["base", "event", "wire", "quic", "probe", "nat", "path", "peer", "service", "mesh"]

MAY_INCLUDE: dict[str, set[str]] = {
    # The core: sans-IO.
    "base": set(),
    "event": {"base"},
    "wire": {"base"},
    "quic": {"base", "event", "wire"},
    "probe": {"base", "event", "wire"},
    "nat": {"base", "event", "wire"},
    "path": {"base", "event", "wire", "probe", "nat"},
    "peer": {"base", "event", "wire", "quic", "probe", "nat", "path"},
    "service": {"base", "event", "wire", "quic", "probe", "nat", "path"},
    "mesh": {"base", "event", "wire", "quic", "probe", "nat", "path", "peer", "service"},
    # Around it.
    "observe": {"base", "event"},
    "config": {"base"},
    "http": {"base", "event", "observe"},
    "io": {"base", "event", "quic", "peer", "mesh"},  # quic, peer: Transmit, Identity, Membership, in mesh's own door
    "app": {"base", "event", "quic", "probe", "peer", "mesh", "observe", "config", "http", "io"},
    "cli": {"base"},
}

# Third-party headers: the rooms (or, with a dot in the last part, the files) that may include each. Anyone else may not.
CONFINED: dict[str, tuple[str, ...]] = {
    "ngtcp2/": ("daemon/quic/",),
    "gnutls/": ("daemon/quic/", "daemon/base/digest.cpp", "daemon/base/signature.cpp"),
    "google/protobuf/": ("daemon/wire/",),
    "control.pb.h": ("daemon/wire/",),
    "service.pb.h": ("daemon/wire/",),
    "boost/": ("daemon/io/", "daemon/http/", "daemon/app/", "daemon/cli/"),
    "prometheus/": ("daemon/observe/",),
    "nlohmann/": ("daemon/observe/", "daemon/http/", "daemon/cli/", "daemon/app/", "daemon/config/"),
    "spdlog/": ("daemon/observe/",),
    "toml++/": ("daemon/config/",),
    "toml.hpp": ("daemon/config/",),
    "CLI/": ("daemon/app/", "daemon/cli/", "daemon/config/"),
    "systemd/": ("daemon/app/",),
    "zlib.h": ("daemon/http/",),
    "miniupnpc/": ("daemon/io/upnp_igd.cpp",),
}

# Standard and system headers that would give the core a clock, entropy, a file, a socket or a thread. (<arpa/inet.h> and
# <netinet/in.h> are the text and the structs of addresses, which ngtcp2 wants too.)
CORE_BANNED = re.compile(
    r"^(thread|mutex|shared_mutex|condition_variable|future|atomic|semaphore|stop_token|latch|barrier|random|iostream|"
    r"istream|ostream|sstream|fstream|filesystem|ctime|time\.h|unistd\.h|fcntl\.h|pthread\.h|poll\.h|sys/.*|"
    r"linux/.*|netdb\.h)$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def check(tree: Tree) -> list[Problem]:
    problems = []
    for path, text in tree.items():
        room = room_of(path)
        if not is_cpp(path) or room is None:
            continue
        if room not in MAY_INCLUDE:
            problems.append(Problem(path, 1, f"room {room} has no row in tests/lint/rooms.py"))
            continue
        for number, line in enumerate(text.splitlines(), 1):
            found = INCLUDE.match(line)
            if found:
                fault = fault_of(path, room, found[1], found[2])
                if fault:
                    problems.append(Problem(path, number, fault))
    return problems


def fault_of(path: str, room: str, bracket: str, header: str) -> str | None:
    target = header.split("/")[0] if "/" in header else ""
    if bracket == '"' and target in MAY_INCLUDE and target != room and target not in MAY_INCLUDE[room]:
        return f"room {room} may not include room {target}"
    if bracket == '"' and (header.startswith(".") or (not target and not header.endswith(".pb.h"))):
        return f'write "{room}/…": includes name their room'
    for prefix, allowed in CONFINED.items():
        if header.startswith(prefix) and not path.startswith(allowed):
            return f"{header} is confined to {', '.join(allowed)}"
    if bracket == "<" and room in CORE and CORE_BANNED.match(header):
        return f"the core may not include <{header}>"
    if header.startswith(("google/protobuf/", "control.pb.h", "service.pb.h")) and path.endswith(".hpp"):
        return "protobuf stays out of headers"
    return None
