#include "io/identity_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "base/bytes.hpp"
#include "io/fd.hpp"

namespace pw::io {
namespace {

constexpr std::string_view kName = "identity.key";
constexpr std::size_t kTextSize = 2 * std::tuple_size_v<IdentitySeed> + 1;

std::string reason(int error) { return std::strerror(error); }

/// Errors carry errno: the caller knows whether it matters.
using Errno = int;

Result<Buffer, Errno> read_all(int fd, std::size_t limit) {
  Buffer out(limit);
  std::size_t have = 0;
  while (have < limit) {
    const ssize_t n = ::read(fd, out.data() + have, limit - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected{errno};
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

Result<void, Errno> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tl::unexpected{errno};
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

std::optional<IdentitySeed> decode(ByteView bytes) {
  std::string_view text = as_text(bytes);
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto raw = from_hex(text);
  IdentitySeed seed{};
  if (!raw || raw->size() != seed.size()) return std::nullopt;
  std::ranges::copy(*raw, seed.begin());
  return seed;
}

/// Whose key may be used: our own; for root also that of the directory's owner.
bool owner_is_trusted(uid_t owner, const std::string& directory) {
  const uid_t me = geteuid();
  if (owner == me) return true;
  struct stat d {};
  return me == 0 && stat(directory.c_str(), &d) == 0 && d.st_uid == owner;
}

Status check_file(int fd, const std::string& path, const std::string& directory) {
  struct stat s {};
  if (fstat(fd, &s) != 0) return fail(path + ": " + reason(errno));
  if (!S_ISREG(s.st_mode)) return fail(path + " is not a regular file; move it away, or set node.state_dir elsewhere");
  if (!owner_is_trusted(s.st_uid, directory))
    return fail(path + " belongs to user " + std::to_string(s.st_uid) + ", this daemon runs as user " +
                std::to_string(geteuid()) + "; give the key to the daemon's user with chown");
  if ((s.st_mode & 077U) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof mode, "%04o", static_cast<unsigned>(s.st_mode & 07777U));
    return fail(path + " has mode " + mode + ", so others can use this node's private key; chmod 600 it if nobody did");
  }
  return {};
}

/// Nothing when there is no such file.
Result<std::optional<IdentitySeed>> read_key(const std::string& path, const std::string& directory) {
  // O_NONBLOCK: a named pipe in its place must not hang the start.
  const Fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) {
    if (errno == ENOENT) return std::optional<IdentitySeed>{};
    if (errno == ELOOP) return fail(path + " is a symbolic link; put the key itself there");
    return fail("can't read " + path + ": " + reason(errno));
  }
  if (auto status = check_file(fd.get(), path, directory); !status) return tl::unexpected{status.error()};
  const auto bytes = read_all(fd.get(), kTextSize + 1);
  if (!bytes) return fail("can't read " + path + ": " + reason(bytes.error()));
  const auto seed = decode(*bytes);
  if (!seed)
    return fail(path +
                " is no identity (64 hexadecimal digits on one line); restore it, or delete it to get a new identity");
  return seed;
}

Result<void, Errno> ensure_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return tl::unexpected{errno};
}

Result<void, Errno> fill_file(int fd, const IdentitySeed& seed, const std::string& directory) {
  // The umask can only have taken bits away; fchmod gives the owner's back.
  if (fchmod(fd, 0600) != 0) return tl::unexpected{errno};
  struct stat d {};
  if (geteuid() == 0 && stat(directory.c_str(), &d) == 0 && d.st_uid != 0 && fchown(fd, d.st_uid, d.st_gid) != 0)
    return tl::unexpected{errno};
  if (auto written = write_all(fd, to_hex(seed) + "\n"); !written) return written;
  if (fsync(fd) != 0) return tl::unexpected{errno};
  return {};
}

/// Puts it in place unless something is there by now (EEXIST).
Result<void, Errno> put_in_place(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return tl::unexpected{errno};
  // A file system without RENAME_NOREPLACE: a hard link doesn't replace either.
  if (::link(from.c_str(), to.c_str()) != 0) return tl::unexpected{errno};
  ::unlink(from.c_str());
  return {};
}

Result<void, Errno> store(const std::string& directory, const std::string& path, const IdentitySeed& seed) {
  if (auto made = ensure_directory(directory); !made) return made;
  const std::string temporary = path + "." + std::to_string(getpid()) + ".new";
  ::unlink(temporary.c_str());  // of an earlier process with our number that was killed here
  const Fd fd{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd) return tl::unexpected{errno};
  auto stored = fill_file(fd.get(), seed, directory);
  if (stored) stored = put_in_place(temporary, path);
  if (!stored) {
    ::unlink(temporary.c_str());
    return stored;
  }
  // Makes the name as lasting as the contents. The key is in place even if this fails, so it is no error.
  const Fd parent{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (parent) fsync(parent.get());
  return {};
}

}  // namespace

Result<IdentityFile> load_identity(const std::string& state_dir, const std::function<IdentitySeed()>& entropy) {
  IdentityFile file;
  file.path = state_dir + "/" + std::string{kName};
  auto found = read_key(file.path, state_dir);
  if (!found) return tl::unexpected{found.error()};
  if (!*found) {
    file.seed = entropy();
    const auto stored = store(state_dir, file.path, file.seed);
    if (stored) {
      file.created = true;
      return file;
    }
    if (stored.error() != EEXIST) {
      file.not_stored = "can't store a new identity in " + file.path + ": " + reason(stored.error());
      return file;
    }
    found = read_key(file.path, state_dir);
    if (!found) return tl::unexpected{found.error()};
    if (!*found) return fail(file.path + " appeared and vanished while it was read; start again");
  }
  file.seed = **found;
  return file;
}

}  // namespace pw::io
