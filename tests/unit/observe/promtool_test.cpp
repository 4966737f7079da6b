// Prometheus' own tool reads what we write, in both formats, and complains of no name that is ours to choose.
#include <sys/wait.h>

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "exposition_reader.hpp"
#include "full_scrape.hpp"

using namespace pw;
using namespace pw::test;
using observe::Exposition;

namespace {

/// Names that others fixed before us; docs/metrics.md marks them S.
const std::set<std::string> kFixedNames = {"p2p_connection_state_transitions_total",
                                           "p2p_connection_attempts_total",
                                           "p2p_connections_active",
                                           "p2p_connection_duration_seconds",
                                           "p2p_connection_errors_total",
                                           "p2p_rtt_milliseconds",
                                           "p2p_bandwidth_bytes_per_second",
                                           "p2p_bytes_transferred_total",
                                           "connection_latency_ms",
                                           "bootstrap_response_time_ms",
                                           "connection_throughput_mbps",
                                           "p2p_discovered_peers_total",
                                           "nat_duration_ms"};

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "peerwatch-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

struct Outcome {
  int code;
  std::string output;
};

Outcome run(const std::string& command) {
  FILE* process = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(process != nullptr);
  Outcome out{};
  char chunk[4096];
  for (std::size_t n; (n = fread(chunk, 1, sizeof chunk, process)) > 0;) out.output.append(chunk, n);
  const int status = pclose(process);
  out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file{path};
  file << text;
  REQUIRE(file.flush());
}

}  // namespace

TEST_CASE("promtool is there, since set-up installs it") { CHECK(run("promtool --version").code == 0); }

TEST_CASE("promtool finds the text format sound, and complains of fixed names only") {
  Folder folder;
  write(folder.path / "scrape", full_scrape(Exposition::text));
  const Outcome lint = run("promtool check metrics < " + (folder.path / "scrape").string());
  INFO(lint.output);
  CHECK((lint.code == 0 || lint.code == 3));  // 3: complaints of style; 1: it could not read the text
  std::istringstream lines{lint.output};
  for (std::string line; std::getline(lines, line);) CHECK(kFixedNames.contains(line.substr(0, line.find(' '))));
}

TEST_CASE("promtool does find what is wrong") {
  Folder folder;
  write(folder.path / "scrape", "# HELP p2p_echo_ms x\n# TYPE p2p_echo_ms counter\np2p_echo_ms 1\n");
  CHECK(run("promtool check metrics < " + (folder.path / "scrape").string()).output.find("p2p_echo_ms") !=
        std::string::npos);
}

TEST_CASE("Prometheus' OpenMetrics reader takes every sample") {
  // It wants a time with each sample, which a scrape's answer does not have.
  const std::string scrape = full_scrape(Exposition::openmetrics);
  std::string timed;
  std::istringstream lines{scrape};
  for (std::string line; std::getline(lines, line);) timed += line + (line[0] == '#' ? "\n" : " 1763720490.123\n");
  Folder folder;
  write(folder.path / "scrape", timed);
  const Outcome import = run("promtool tsdb create-blocks-from openmetrics " + (folder.path / "scrape").string() + " " +
                             (folder.path / "blocks").string());
  INFO(import.output);
  CHECK(import.code == 0);
  const std::size_t samples = Exposed::read(scrape, Exposition::openmetrics).series();
  CHECK(import.output.find(" " + std::to_string(samples) + " ") != std::string::npos);  // as many as it imported

  write(folder.path / "broken", timed.substr(0, timed.size() - 6));  // without "# EOF"
  CHECK(run("promtool tsdb create-blocks-from openmetrics " + (folder.path / "broken").string() + " " +
            (folder.path / "more").string())
            .code != 0);
}

TEST_CASE("both formats say the same") {
  const auto text = Exposed::read(full_scrape(Exposition::text), Exposition::text).flat();
  const auto open = Exposed::read(full_scrape(Exposition::openmetrics), Exposition::openmetrics).flat();
  CHECK(text.size() == open.size());
  for (const auto& [series, value] : text) {
    INFO(series);
    REQUIRE(open.contains(series));
    if (!series.starts_with("process_")) CHECK(open.at(series) == value);
  }
}
