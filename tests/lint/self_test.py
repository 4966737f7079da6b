#!/usr/bin/env python3
"""Every lint is shown a planted violation and must see it, and a clean neighbour that it must leave alone."""
import copy
import json
import pathlib
import unittest

import closure
import core_calls
import dashboards
import files
import machine
import planted
import rooms
import scripts
import watching


def texts(module, tree: dict[str, str]) -> list[str]:
    return [str(problem) for problem in module.check(tree)]


class Rooms(unittest.TestCase):
    def one(self, path: str, include: str) -> list[str]:
        return texts(rooms, {path: f"#include {include}\n"})

    def test_an_arrow_against_the_order_is_seen(self):
        self.assertIn("may not include room peer", self.one("daemon/quic/a.cpp", '"peer/session.hpp"')[0])
        self.assertIn("may not include room quic", self.one("daemon/probe/a.hpp", '"quic/endpoint.hpp"')[0])
        self.assertIn("may not include room mesh", self.one("daemon/http/a.cpp", '"mesh/node.hpp"')[0])
        self.assertIn("may not include room app", self.one("daemon/io/a.cpp", '"app/daemon.hpp"')[0])
        self.assertIn("may not include room event", self.one("daemon/cli/a.cpp", '"event/event.hpp"')[0])

    def test_an_arrow_along_the_order_is_fine(self):
        self.assertEqual(self.one("daemon/peer/a.cpp", '"quic/endpoint.hpp"'), [])
        self.assertEqual(self.one("daemon/peer/a.cpp", '"peer/session.hpp"'), [])

    def test_libraries_stay_in_their_rooms(self):
        self.assertIn("confined", self.one("daemon/peer/a.cpp", "<ngtcp2/ngtcp2.h>")[0])
        self.assertIn("confined", self.one("daemon/mesh/a.cpp", "<boost/asio.hpp>")[0])
        self.assertIn("confined", self.one("daemon/io/a.cpp", "<prometheus/counter.h>")[0])
        self.assertIn("out of headers", self.one("daemon/wire/a.hpp", '"control.pb.h"')[0])
        self.assertEqual(self.one("daemon/wire/a.cpp", '"control.pb.h"'), [])

    def test_the_core_has_no_threads_files_or_sockets(self):
        for header in ["thread", "mutex", "iostream", "fstream", "random", "sys/socket.h", "unistd.h"]:
            self.assertIn("may not include", self.one("daemon/probe/a.cpp", f"<{header}>")[0], header)
        self.assertEqual(self.one("daemon/io/a.cpp", "<thread>"), [])

    def test_an_include_names_its_room(self):
        self.assertIn("name their room", self.one("daemon/peer/a.cpp", '"session.hpp"')[0])

    def test_an_unknown_room_is_seen(self):
        self.assertIn("no row", texts(rooms, {"daemon/helpers/a.cpp": "\n"})[0])


class CoreCalls(unittest.TestCase):
    def one(self, code: str, path: str = "daemon/peer/a.cpp") -> list[str]:
        return texts(core_calls, {path: code + "\n"})

    def test_each_banned_call_is_seen(self):
        for code in ["auto t = std::chrono::steady_clock::now();", "clock_gettime(CLOCK_MONOTONIC, &t);", "time(nullptr);",
                     "std::random_device d;", "int x = rand();", "std::srand(1);", "std::this_thread::sleep_for(1s);",
                     "sleep(1);", 'std::getenv("HOME");', "std::thread t;", "std::mutex m;", "static thread_local int x;",
                     "std::cerr << 1;", "std::function<void()> f_;", "std::mt19937_64 g;", "std::ifstream f;",
                     "std::atomic<int> n;", "getrandom(b, 1, 0);", "fd = ::socket(AF_INET, 0, 0);"]:
            self.assertEqual(len(self.one(code)), 1, code)

    def test_it_reports_the_line(self):
        self.assertEqual(self.one("/* a\nb */\nrand();")[0].split(":")[1], "3")

    def test_comments_strings_and_other_names_are_fine(self):
        for code in ["// rand() is banned", 'log("sleep(1)");', "callbacks.rand = draw;", "rng_.rand();", "Duration time();",
                     "operand(1);", "/* std::thread */", "brand(3);",
                     "void Callbacks::rand(std::uint8_t* out) {", "Node::connect(now);"]:
            self.assertEqual(self.one(code), [], code)

    def test_only_the_core_is_held_to_it(self):
        self.assertEqual(self.one("std::thread t;", "daemon/app/a.cpp"), [])


class Planted(unittest.TestCase):
    LIST = ("class Bug:\n    def __init__(self, *all): self.name, self.file, self.right, self.wrong = all\n"
            "BUGS = [Bug('a bug', 'peer/a.cpp', 'right();', 'wrong();')]\n")

    def one(self, code: str, bugs: str = LIST) -> list[str]:
        return texts(planted, {planted.LIST: bugs, "daemon/peer/a.cpp": code})

    def test_a_line_that_is_gone_or_stands_twice_is_seen(self):
        self.assertIn("stands 0 times", self.one("other();")[0])
        self.assertIn("stands 2 times", self.one("right(); right();")[0])
        self.assertEqual(self.one("right();"), [])

    def test_a_bug_that_breaks_nothing_is_seen(self):
        self.assertIn("breaks nothing", self.one("right();", self.LIST.replace("wrong()", "right()"))[0])


class Files(unittest.TestCase):
    def test_a_long_file_fails_and_a_longish_one_is_reported(self):
        body = "namespace pw::peer {\n}\n"
        self.assertIn("split it", texts(files, {"daemon/peer/a.cpp": body + "\n" * 500})[0])
        longish = {"daemon/peer/a.cpp": body + "\n" * 420}
        self.assertEqual(texts(files, longish), [])
        self.assertEqual(len(files.long_files(longish)), 1)

    def test_a_header_without_pragma_once(self):
        self.assertIn("pragma", texts(files, {"daemon/peer/a.hpp": "namespace pw::peer {\n}\n"})[0])

    def test_a_file_outside_its_namespace(self):
        self.assertIn("without namespace pw::peer", texts(files, {"daemon/peer/a.cpp": "namespace pw {\n}\n"})[0])
        self.assertEqual(texts(files, {"daemon/peer/a.cpp": "namespace pw::peer {\n}\n"}), [])
        self.assertEqual(texts(files, {"daemon/base/a.cpp": "namespace pw {\n}\n"}), [])
        self.assertEqual(texts(files, {"daemon/cli/main.cpp": "int main() {}\n"}), [])

    def test_a_bracket_in_the_name_of_a_test(self):
        self.assertIn("bracket", texts(files, {"tests/unit/a_test.cpp": 'TEST_CASE("x is in [0, 1)") {\n'})[0])
        self.assertEqual(texts(files, {"tests/unit/a_test.cpp": 'TEST_CASE("x is in (0, 1)") {\n'}), [])


class Machine(unittest.TestCase):
    def one(self, line: str) -> list[str]:
        return texts(machine, {"docs/a.md": line + "\n"})

    def test_a_path_of_this_machine(self):
        for line in ["see /home/ann/src", "cd /root/x", "in /work/elsewhere", 'path = "/srv/build"']:
            self.assertEqual(len(self.one(line)), 1, line)
        for line in ["build/work/x", "/var/lib/peerwatch", "$root/x", "the /work of others"]:
            self.assertEqual(self.one(line), [], line)

    def test_a_host_that_nobody_allowed(self):
        self.assertIn("packages.corp.internal", self.one("URIs: http://packages.corp.internal/debian")[0])
        self.assertIn("u.artifacts.io", self.one("https://user:secret@u.artifacts.io/x")[0])
        for line in ["http://127.0.0.1:9470/metrics", "wss://relay.example/relay", "https://datatracker.ietf.org/doc/rfc9000",
                     "http://$address/metrics", "http://[::1]:9470"]:
            self.assertEqual(self.one(line), [], line)

    def test_a_package_index(self):
        self.assertEqual(len(self.one("index-url = x")), 1)


class Scripts(unittest.TestCase):
    def test_a_script_that_does_not_parse(self):
        self.assertIn("syntax error", texts(scripts, {"a.sh": "#!/bin/bash\nset -e\nif true; then\n"})[0])
        self.assertEqual(texts(scripts, {"a.sh": "#!/bin/bash\nset -e\ntrue\n"}), [])

    def test_a_script_that_ignores_errors(self):
        self.assertIn("set -e", texts(scripts, {"a.sh": "#!/bin/bash\ntrue\n"})[0])

    def test_a_python_file_that_does_not_compile(self):
        self.assertEqual(len(texts(scripts, {"a.py": "def f(:\n"})), 1)


class Watching(unittest.TestCase):
    PAGE = ("| `p2p_dials_total` S | counter | result | success or failed |\n| `p2p_rtt_seconds` | histogram | peer_id | a round trip |\n"
            "| `p2p_peers` | gauge | state | connected |\n| `p2p_spare` | gauge | | used by nobody |\n"
            "## For ad-hoc use\n`p2p_spare`, {marked}\n")
    USED = "rate(p2p_dials_total[5m]) and histogram_quantile(0.5, rate(p2p_rtt_seconds_bucket[5m])) and p2p_peers"

    def one(self, expression: str, marked: str = "", record: str = "") -> list[str]:
        rules = [{"alert": "One", "expr": expression}, {"alert": "Rest", "expr": self.USED}]
        rules += [{"record": "job:p2p_dials:rate", "expr": record}] if record else []
        return texts(watching, {watching.PAGE: self.PAGE.format(marked=marked),
                                "alerts/a.yml": json.dumps({"groups": [{"name": "g", "rules": rules}]})})

    def test_what_is_used_as_it_should_be(self):
        for expression in ['sum by (job) (rate(p2p_dials_total{result=~"success|failed"}[$__rate_interval])) > 0',
                           "histogram_quantile(0.9, sum by (peer_id, le) (rate(p2p_rtt_seconds_bucket[5m])))",
                           "rate(p2p_rtt_seconds_sum[5m]) / rate(p2p_rtt_seconds_count[5m])",
                           'max_over_time(p2p_peers{state="connected"}[1h] offset 1d)',
                           "up == 0 unless on (job, instance) p2p_peers"]:
            self.assertEqual(self.one(expression), [], expression)
        self.assertEqual(self.one("job:p2p_dials:rate > 0", record="sum by (job) (rate(p2p_dials_total[5m]))"), [])

    def test_what_nobody_serves(self):
        for expression, fault in [("p2p_ghosts", "p2p_ghosts is not served"), ("job:p2p_dials:rate", "is not served"),
                                  ('p2p_peers{colour="red"}', "has no label colour"),
                                  ('p2p_peers{state="asleep"}', "'asleep' is no value"),
                                  ("sum by (colour) (p2p_peers)", "sum by colour"),
                                  ("p2p_peers and on (colour) up", "joins on colour")]:
            self.assertIn(fault, self.one(expression)[0], expression)

    def test_what_a_type_does_not_allow(self):
        for expression, fault in [("p2p_dials_total > 5", "is a counter"), ("rate(p2p_peers[5m])", "is a gauge"),
                                  ("p2p_rtt_seconds > 1", "is a histogram"), ("avg_over_time(p2p_dials_total[5m])", "is a counter"),
                                  ("histogram_quantile(0.9, sum by (peer_id) (rate(p2p_rtt_seconds_bucket[5m])))", "without le"),
                                  ("histogram_quantile(0.9, rate(p2p_dials_total[5m]))", "has no buckets"),
                                  ("sum by (le) (rate(p2p_rtt_seconds_bucket[5m]))", "outside histogram_quantile")]:
            self.assertIn(fault, self.one(expression)[0], expression)

    def test_the_list_of_what_nothing_uses(self):
        self.assertIn("stands here, and is used", self.one("p2p_peers", marked="`p2p_peers`")[0])
        self.assertIn("is not served", self.one("p2p_peers", marked="`p2p_ghosts`")[0])
        self.assertIn("p2p_spare stands here, and is used", self.one("p2p_spare")[0])
        self.assertIn("p2p_rest is used nowhere", texts(watching, {watching.PAGE: "| `p2p_rest` | gauge | | rests |\n"})[0])

    def test_a_runbook_that_names_nothing(self):
        page = {watching.PAGE: self.PAGE.format(marked=""), "alerts/a.yml": json.dumps(
            {"groups": [{"name": "g", "rules": [{"alert": "Rest", "expr": self.USED}]}]})}
        self.assertIn("p2p_ghosts is not served", texts(watching, page | {"docs/runbooks/A.md": "see `p2p_ghosts`\n"})[0])
        self.assertIn("p2p_ghosts is not served", texts(watching, page | {"docs/runbooks/A.md": "```promql\np2p_ghosts > 1\n```\n"})[0])
        self.assertEqual(texts(watching, page | {"docs/runbooks/A.md": "see `p2p_rtt_seconds` of `instance:p2p_x:sum`\n"}), [])


class Dashboards(unittest.TestCase):
    ROOT = pathlib.Path(__file__).resolve().parents[2]

    def setUp(self):
        self.path = "grafana/dashboards/daemon.json"
        self.dashboard = json.loads((self.ROOT / self.path).read_text())
        self.pages = {f"docs/runbooks/{path.name}": "" for path in (self.ROOT / "docs/runbooks").glob("*.md")}

    def faults(self, change) -> list[str]:
        broken = copy.deepcopy(self.dashboard)
        change(broken, next(panel for panel in broken["panels"] if panel["type"] == "timeseries"))
        return dashboards.of_dashboard(broken, self.pages)

    def test_what_a_panel_and_a_dashboard_owe(self):
        self.assertEqual(self.faults(lambda board, panel: None), [])
        for change, fault in [(lambda b, p: p.update(title=""), "has no title"), (lambda b, p: p.update(description=""), "has no description"),
                              (lambda b, p: p["fieldConfig"]["defaults"].pop("unit"), "has no unit"),
                              (lambda b, p: p["targets"][0].update(datasource={"uid": "x"}), "fixed data source"),
                              (lambda b, p: p["targets"][0].update(expr="x{a=\"$ghost\"}"), "no variable ghost"),
                              (lambda b, p: p["targets"][0].update(expr="rate(x[5m])"), "$__rate_interval"),
                              (lambda b, p: p.update(links=[{"url": "${runbooks}/Ghost.md"}]), "not there"),
                              (lambda b, p: b.pop("uid"), "stable uid"), (lambda b, p: b.update(schemaVersion=38), "schemaVersion"),
                              (lambda b, p: b.update(links=[]), "no other dashboard"),
                              (lambda b, p: b["panels"].append(p), "twice")]:
            self.assertIn(fault, " ".join(self.faults(change)))

    def test_a_file_that_was_changed_by_hand(self):
        wanted = {"grafana/dashboards/a.json": "{}\n"}
        self.assertEqual(dashboards.differences(wanted, wanted), [])
        for tree in [{"grafana/dashboards/a.json": "{ }\n"}, {}, wanted | {"grafana/dashboards/b.json": "{}\n"}]:
            self.assertIn("make.py", str(dashboards.differences(tree, wanted)[0]))

    def test_commands_and_links_of_runbooks(self):
        tree = {dashboards.API: "peerwatch status\n| `GET /metrics` |\n", "docs/runbooks/README.md": "[A](A.md)\n"}
        page = "## What it means\n## What to look at\n```sh\n{}\n```\n## What to do\n"
        for line, fault in [("peerwatch dance", "no command dance"), ("curl http://127.0.0.1:9470/ghost", "no route"), ("frob x", "no command"),
                            ("peerwatch status\n```\n[B](B.md)\n```sh\npeerwatch status", "not there")]:
            self.assertIn(fault, texts(dashboards, tree | {"docs/runbooks/A.md": page.format(line)})[0], line)
        self.assertEqual(texts(dashboards, tree | {"docs/runbooks/A.md": page.format("peerwatch status")}), [])
        self.assertIn("no section", texts(dashboards, tree | {"docs/runbooks/A.md": ""})[0])
        self.assertIn("list of runbooks", " ".join(texts(dashboards, tree | {"docs/runbooks/B.md": page.format("peerwatch status")})))


class Closure(unittest.TestCase):
    LOG = ("daemon/CMakeFiles/pw_peer.dir/peer/a.cpp.o: #deps 2, deps mtime 1 (VALID)\n"
           "    ../daemon/peer/a.cpp\n    {header}\n\n"
           "daemon/CMakeFiles/pw_io.dir/io/b.cpp.o: #deps 1, deps mtime 1 (VALID)\n    /usr/include/boost/asio.hpp\n")

    def test_a_foreign_header_behind_others_is_seen(self):
        for header in ["/usr/include/boost/asio/buffer.hpp", "/usr/include/prometheus/counter.h",
                       "/usr/include/nlohmann/json.hpp"]:
            found = closure.problems_in(closure.parse(self.LOG.format(header=header)), ["peer"])
            self.assertEqual(len(found), 1, header)
            self.assertIn("pw_peer", found[0])

    def test_a_clean_core_passes_and_other_rooms_may(self):
        log = closure.parse(self.LOG.format(header="/usr/include/ngtcp2/ngtcp2.h"))
        self.assertEqual(closure.problems_in(log, ["peer"]), [])

    def test_an_empty_build_proves_nothing(self):
        self.assertEqual(len(closure.problems_in({}, ["peer"])), 1)


if __name__ == "__main__":
    unittest.main()
