// FileWatch: notices that a file may be another (inotify(7)): written and closed, replaced by one of its name, which is how
// careful programs write, or led elsewhere by the hidden link beside it, which is how containers do ("..data").
#pragma once

#include <string>

#include "base/result.hpp"
#include "io/fd.hpp"

namespace pw::io {

class FileWatch {
 public:
  /// Its directory is watched: it has to be there, the file need not.
  static Result<FileWatch> open(const std::string& path);

  /// Readable when there is something to take.
  int fd() const { return fd_.get(); }
  /// True if something happened since the last time that may have changed it.
  bool take();
  /// Its directory is gone, and nothing will be noticed any more.
  bool gone() const { return gone_; }

 private:
  FileWatch(Fd fd, std::string name) : fd_{std::move(fd)}, name_{std::move(name)} {}
  Fd fd_;
  std::string name_;
  bool gone_ = false;
};

}  // namespace pw::io
