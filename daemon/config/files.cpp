#include "config/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "config/units.hpp"

namespace pw::config {
namespace {

std::string reason(int code) { return std::generic_category().message(code); }

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_{fd} {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<FileContents> SystemFiles::read(const std::string& path, std::size_t limit) const {
  // Non-blocking, so that a FIFO in the place of a file can't hold up the start.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (file.get() < 0) return fail("can't be opened: " + reason(errno));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail("can't be examined: " + reason(errno));
  if (!S_ISREG(status.st_mode)) return fail("is not a regular file");
  FileContents out{{}, status.st_mode & 07777U};
  out.bytes.resize(limit + 1);  // one more, to see that a file is larger
  std::size_t have = 0;
  while (have < out.bytes.size()) {
    const ssize_t n = ::read(file.get(), out.bytes.data() + have, out.bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail("can't be read: " + reason(errno));
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  if (have > limit) return fail("is larger than " + format_size(limit));
  out.bytes.resize(have);
  return out;
}

Result<std::vector<std::string>> SystemFiles::list(const std::string& directory) const {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator at{directory, error};
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && at != std::filesystem::directory_iterator{}; at.increment(error))
    names.push_back(at->path().filename().string());
  if (error) return fail("can't be listed: " + error.message());
  std::ranges::sort(names);
  return names;
}

Result<std::vector<std::string>> standard_files(const Files& files, const std::string& directory) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& in, auto wanted) -> Status {
    const auto names = files.list(in);
    if (!names) return fail(in + ": " + names.error().detail);
    for (const std::string& name : *names)
      if (wanted(name)) out.push_back(in + "/" + name);
    return {};
  };
  // A name that starts with a dot is an editor's or a package manager's leftover.
  const auto fragment = [](const std::string& name) { return name.ends_with(".toml") && !name.starts_with('.'); };
  if (auto done = add(directory, [](const std::string& name) { return name == "peerwatch.toml"; }); !done)
    return tl::unexpected(done.error());
  if (auto done = add(directory + "/conf.d", fragment); !done) return tl::unexpected(done.error());
  return out;
}

}  // namespace pw::config
