// Any bytes as a configuration file, and as the value of a variable and an option: load() ends with a Config or with
// problems, never a crash; what it accepts is printed and read back the same; what it says is fit for a terminal.
//
// Input: the file; then, after a byte 0x1e (record separator), one byte that chooses a key, and the text of its value.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "config/keys.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

namespace {

using namespace pw;
using namespace pw::config;

/// One configuration file; every other path is a good secret or token, unless its name says otherwise.
class MemoryFiles final : public Files {
 public:
  explicit MemoryFiles(std::string text) : text_{std::move(text)} {}
  Result<FileContents> read(const std::string& path, std::size_t limit) const override {
    if (path == "c") return text_.size() > limit ? fail("is too large") : Result<FileContents>{{text_, 0644}};
    if (path.ends_with("missing")) return fail("is missing");
    return FileContents{std::string(path.ends_with("short") ? 5 : 40, 'x'), path.ends_with("open") ? 0644U : 0600U};
  }
  Result<std::vector<std::string>> list(const std::string&) const override { return std::vector<std::string>{}; }

 private:
  std::string text_;
};

void check(const Sources& sources, const std::string& text) {
  const Loaded loaded = load(sources, MemoryFiles{text});
  PW_CHECK(loaded.problems.size() <= Problems::kMost + 1);
  for (const Problem& problem : loaded.problems) PW_CHECK(is_clean_text(problem.to_string()));
  if (!loaded.ok()) return;
  const Loaded again = load({{"c"}, {}, {}}, MemoryFiles{to_toml(loaded.config)});
  PW_CHECK(again.ok());
  PW_CHECK(again.config == loaded.config);
  const Differences none = differences(loaded.config, again.config);
  PW_CHECK(none.reload.empty() && none.restart.empty());
  PW_CHECK(!to_json(loaded.config).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string input{reinterpret_cast<const char*>(data), size};
  const auto separator = input.find('\x1e');
  const std::string text = input.substr(0, separator);
  check({{"c"}, {}, {}}, text);
  if (separator == std::string::npos || separator + 1 >= input.size()) return 0;
  const auto& keys = config_keys();
  const std::string& key = keys[static_cast<std::uint8_t>(input[separator + 1]) % keys.size()].name;
  const std::string value = input.substr(separator + 2);
  check({{"c"}, {{environment_name(key), value}}, {}}, text);
  check({{"c"}, {}, {{key, value}, {value, "x"}}}, text);
  check({{}, {{"PEERWATCH_" + value.substr(0, 80), "x"}}, {{key, value}}}, text);
  return 0;
}
