// A configuration file of any bytes: never a crash, and never both: problems, or a configuration that prints and reads
// back as itself.
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

namespace {

using namespace pw;

class OneFile final : public config::Files {
 public:
  explicit OneFile(std::string bytes) : bytes_{std::move(bytes)} {}
  Result<config::FileContents> read(const std::string& path, std::size_t limit) const override {
    // Secrets and tokens that the file names: there, private, long enough.
    if (path != "fuzz.toml") return config::FileContents{std::string(64, 's'), 0600};
    if (bytes_.size() > limit) return fail("too large");
    return config::FileContents{bytes_, 0600};
  }
  Result<std::vector<std::string>> list(const std::string&) const override { return std::vector<std::string>{}; }

 private:
  std::string bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const config::Sources sources{.files = {"fuzz.toml"}, .environment = {}, .overrides = {}};
  const config::Loaded loaded = config::load(sources, OneFile{std::string{as_text({data, size})}});
  for (const config::Problem& problem : loaded.problems) PW_CHECK(!problem.to_string().empty());
  if (!loaded.ok()) return 0;
  const config::Loaded again = config::load(sources, OneFile{config::to_toml(loaded.config)});
  PW_CHECK(again.ok());
  PW_CHECK(again.config.peers == loaded.config.peers && again.config.http == loaded.config.http);
  return 0;
}
