// Files that exist only in a test.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"

namespace pw::config {

class FakeFiles final : public Files {
 public:
  FakeFiles& with(const std::string& path, std::string bytes, unsigned mode = 0600) {
    files_[path] = {std::move(bytes), mode};
    return *this;
  }
  Result<FileContents> read(const std::string& path, std::size_t limit) const override {
    const auto found = files_.find(path);
    if (found == files_.end()) return fail("can't be opened: No such file or directory");
    if (found->second.bytes.size() > limit) return fail("is larger than the limit");
    return found->second;
  }
  Result<std::vector<std::string>> list(const std::string& directory) const override {
    std::vector<std::string> names;
    for (const auto& [path, contents] : files_)
      if (path.starts_with(directory + "/") && path.find('/', directory.size() + 1) == std::string::npos)
        names.push_back(path.substr(directory.size() + 1));
    return names;
  }

 private:
  std::map<std::string, FileContents> files_;
};

inline constexpr const char* kFile = "p.toml";

/// Of one file with this text.
inline Loaded load_text(const std::string& text, FakeFiles files = {}) {
  return load({{kFile}, {}, {}}, files.with(kFile, text));
}

/// Every problem as a person sees it.
inline std::vector<std::string> problems_of(const Loaded& loaded) {
  std::vector<std::string> out;
  for (const Problem& p : loaded.problems) out.push_back(p.to_string());
  return out;
}
inline std::vector<std::string> problems_of(const std::string& text, FakeFiles files = {}) {
  return problems_of(load_text(text, std::move(files)));
}

/// A valid PeerId, another for each number.
inline std::string peer_id_text(std::uint8_t number) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  key.fill(number);
  return PeerId{key}.to_string();
}

}  // namespace pw::config
