#include "io/file_watch.hpp"

#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>

namespace pw::io {

Result<FileWatch> FileWatch::open(const std::string& path) {
  const std::filesystem::path file{path};
  const std::string folder = file.has_parent_path() ? file.parent_path().string() : ".";
  Fd fd{inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  if (!fd) return fail(std::string{"files can't be watched: "} + std::strerror(errno));
  // Not IN_CREATE: what was just created is about to be written.
  constexpr std::uint32_t kChanges = IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
  if (inotify_add_watch(fd.get(), folder.c_str(), kChanges) < 0)
    return fail(folder + " can't be watched: " + std::strerror(errno));
  return FileWatch{std::move(fd), file.filename().string()};
}

bool FileWatch::take() {
  alignas(inotify_event) std::array<char, 4096> events{};
  bool changed = false;
  for (;;) {
    const auto got = ::read(fd_.get(), events.data(), events.size());
    if (got <= 0) return changed;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, events.data() + at, sizeof event);
      const std::string_view name = event.len == 0 ? "" : std::string_view{events.data() + at + sizeof event};
      gone_ = gone_ || (event.mask & IN_IGNORED) != 0;
      // An overflow (no name) may have lost anything.
      changed = changed || name == name_ || name.starts_with("..") || (event.mask & (IN_Q_OVERFLOW | IN_IGNORED)) != 0;
      at += sizeof event + event.len;
    }
  }
}

}  // namespace pw::io
