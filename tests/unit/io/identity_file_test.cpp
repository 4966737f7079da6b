#include "io/identity_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/bytes.hpp"
#include "io/clock.hpp"

namespace pw::io {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::ContainsSubstring;

const std::string kSeedText(64, 'a');

/// A directory of its own, gone afterwards.
struct Directory {
  Directory() {
    char name[] = "/tmp/pw-identity-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    fs::permissions(path, fs::perms::owner_all, ignored);
    fs::remove_all(path, ignored);
  }
  std::string key() const { return path + "/identity.key"; }
  void write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream{key()} << text;
    REQUIRE(chmod(key().c_str(), mode) == 0);
  }
  std::string path;
};

IdentitySeed no_entropy() { throw std::logic_error{"a key that exists must not be made anew"}; }

std::string error_of(const Directory& d) {
  const auto loaded = load_identity(d.path, no_entropy);
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().detail.find('\n') == std::string::npos);
  CHECK_THAT(loaded.error().detail, ContainsSubstring(d.key()));
  return loaded.error().detail;
}

TEST_CASE("a new node makes a key that nobody else can read, and is the same node the next time") {
  const Directory d;
  const mode_t before = umask(0);  // the mode must not depend on it
  const auto made = load_identity(d.path, entropy);
  umask(before);
  REQUIRE(made);
  CHECK(made->created);
  CHECK_FALSE(made->not_stored);
  struct stat s {};
  REQUIRE(stat(made->path.c_str(), &s) == 0);
  CHECK((s.st_mode & 07777U) == 0600U);
  std::ifstream file{made->path};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  CHECK(text == to_hex(made->seed) + "\n");
  CHECK(std::distance(fs::directory_iterator{d.path}, {}) == 1);  // no temporary file stays behind

  const auto again = load_identity(d.path, no_entropy);
  REQUIRE(again);
  CHECK_FALSE(again->created);
  CHECK(again->seed == made->seed);
}

TEST_CASE("the state directory is made if only it is missing") {
  const Directory d;
  const auto made = load_identity(d.path + "/state", entropy);
  REQUIRE(made);
  CHECK(made->created);
  struct stat s {};
  REQUIRE(stat((d.path + "/state").c_str(), &s) == 0);
  CHECK((s.st_mode & 0777U) == 0700U);
}

TEST_CASE("a key without its final newline is a key") {
  const Directory d;
  d.write(kSeedText);
  CHECK(load_identity(d.path, no_entropy).has_value());
}

TEST_CASE("a key that others may read or write is refused") {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U, 0666U}) {
    const Directory d;
    d.write(kSeedText + "\n", mode);
    CHECK_THAT(error_of(d), ContainsSubstring("chmod 600"));
  }
}

TEST_CASE("a malformed key is refused, and stays as it is") {
  for (const std::string& text :
       {std::string{}, std::string(63, 'a') + "\n", std::string(65, 'a') + "\n", std::string(63, 'a') + "g\n",
        kSeedText + "\n\n", kSeedText + "\nmore\n", std::string(5000, 'a'), std::string(64, '\0') + "\n"}) {
    const Directory d;
    d.write(text);
    CHECK_THAT(error_of(d), ContainsSubstring("is no identity"));
    CHECK(fs::file_size(d.key()) == text.size());
  }
}

TEST_CASE("a key behind a symbolic link is refused") {
  const Directory d;
  const Directory elsewhere;
  elsewhere.write(kSeedText + "\n");
  fs::create_symlink(elsewhere.key(), d.key());
  CHECK_THAT(error_of(d), ContainsSubstring("symbolic link"));
}

TEST_CASE("a dangling link is not written through") {
  const Directory d;
  fs::create_symlink(d.path + "/elsewhere", d.key());
  CHECK_THAT(error_of(d), ContainsSubstring("symbolic link"));
  CHECK_FALSE(fs::exists(d.path + "/elsewhere"));
}

TEST_CASE("a directory or a pipe in its place is refused without hanging") {
  const Directory d;
  fs::create_directory(d.key());
  CHECK_THAT(error_of(d), ContainsSubstring("not a regular file"));
  fs::remove(d.key());
  REQUIRE(mkfifo(d.key().c_str(), 0600) == 0);
  CHECK_THAT(error_of(d), ContainsSubstring("not a regular file"));
}

TEST_CASE("another user's key is refused") {
  if (geteuid() != 0) SKIP("only root can give a file away");
  const Directory d;
  d.write(kSeedText + "\n");
  REQUIRE(chown(d.key().c_str(), 65534, 65534) == 0);
  CHECK_THAT(error_of(d), ContainsSubstring("belongs to user 65534"));
}

TEST_CASE("root reads and makes the key of the directory's owner") {
  if (geteuid() != 0) SKIP("only root can give a directory away");
  const Directory d;
  REQUIRE(chown(d.path.c_str(), 65534, 65534) == 0);
  const auto made = load_identity(d.path, entropy);
  REQUIRE(made);
  CHECK(made->created);
  struct stat s {};
  REQUIRE(stat(made->path.c_str(), &s) == 0);
  CHECK(s.st_uid == 65534);
  CHECK(load_identity(d.path, no_entropy).has_value());
}

TEST_CASE("an unreadable key is an error, never a reason for a new one") {
  if (geteuid() == 0) {
    // Root reads everything, so this runs as nobody, in a child.
    const Directory d;
    REQUIRE(chmod(d.path.c_str(), 0755) == 0);
    d.write(kSeedText + "\n", 0600);
    const pid_t child = fork();
    if (child == 0) {
      if (setgid(65534) != 0 || setuid(65534) != 0) _exit(3);
      const auto loaded = load_identity(d.path, entropy);
      _exit(!loaded && loaded.error().detail.find("can't read") == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    return;
  }
  const Directory d;
  d.write(kSeedText + "\n", 0000);
  CHECK_THAT(error_of(d), ContainsSubstring("can't read"));
}

TEST_CASE("a key that can't be stored lasts as long as the process, and says why") {
  const auto nowhere = load_identity("/nonexistent/peerwatch", entropy);
  REQUIRE(nowhere);
  CHECK_FALSE(nowhere->created);
  REQUIRE(nowhere->not_stored);
  CHECK_THAT(*nowhere->not_stored, ContainsSubstring("No such file or directory"));

  const auto unwritable = load_identity("/proc", entropy);
  REQUIRE(unwritable);
  CHECK(unwritable->not_stored);
  CHECK(unwritable->seed != nowhere->seed);
}

TEST_CASE("a full disk leaves nothing half-written") {
  // /dev/full can't hold a directory; a limit on the size of files gives the same failed write.
  const Directory d;
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, 0};
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) _exit(3);
    const auto loaded = load_identity(d.path, entropy);
    _exit(loaded && loaded->not_stored && !loaded->created ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(fs::is_empty(d.path));
}

TEST_CASE("of two daemons that start at once, both get the key that is in place") {
  const Directory d;
  IdentitySeed theirs{};
  theirs.fill(7);
  // The other one is quicker: it stores its key while we still draw ours.
  const auto mine = load_identity(d.path, [&] {
    d.write(to_hex(theirs) + "\n");
    return entropy();
  });
  REQUIRE(mine);
  CHECK_FALSE(mine->created);
  CHECK(mine->seed == theirs);
}

}  // namespace
}  // namespace pw::io
