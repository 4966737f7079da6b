// Files: how the configuration reads files, so that tests and the fuzzer can hand in their own.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace pw::config {

struct FileContents {
  std::string bytes;
  unsigned mode = 0;  // permission bits
};

class Files {
 public:
  virtual ~Files() = default;
  /// The whole of a regular file of at most `limit` bytes. The error does not name the path.
  virtual Result<FileContents> read(const std::string& path, std::size_t limit) const = 0;
  /// The names in a directory, sorted; none if there is no such directory.
  virtual Result<std::vector<std::string>> list(const std::string& directory) const = 0;
};

class SystemFiles final : public Files {
 public:
  Result<FileContents> read(const std::string& path, std::size_t limit) const override;
  Result<std::vector<std::string>> list(const std::string& directory) const override;
};

inline constexpr const char* kStandardDirectory = "/etc/peerwatch";

/// What is read when nobody names a file: DIRECTORY/peerwatch.toml if it is there, then DIRECTORY/conf.d/*.toml.
Result<std::vector<std::string>> standard_files(const Files& files, const std::string& directory = kStandardDirectory);

}  // namespace pw::config
