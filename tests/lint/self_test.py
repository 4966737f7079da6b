#!/usr/bin/env python3
"""Every lint is shown a planted violation and must see it, and a clean neighbour that it must leave alone."""
import unittest

import closure
import core_calls
import files
import machine
import planted
import rooms
import scripts


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
