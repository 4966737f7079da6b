// Carrier: the loop of the wire process: frames come in, time passes in the net as it does outside, commands are
// obeyed. One thread; every wait is for the next thing that is due, to the nanosecond that the kernel can do.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "functional/wire/port.hpp"

namespace pw::lab {

class Carrier {
 public:
  /// Frames that are taken before what is due is looked at again: some 2 ms of work at the most.
  static constexpr std::size_t kMostFrames = 512;
  /// A line of commands; a link with everything set has some 300.
  static constexpr std::size_t kLongestLine = 64 << 10;

  /// `command`: a line from standard input to its answer, `report`: what is said on SIGUSR1 and at the end.
  using Command = std::function<std::string(const std::string& line)>;
  using Report = std::function<std::string()>;
  Carrier(net::Net& net, const Timeline& timeline, std::vector<std::unique_ptr<Port>>& ports, Command command,
          Report report);

  /// Until SIGTERM, SIGINT or the end of standard input, if that is a pipe or a terminal. Says "ready" on standard output
  /// first.
  Status run();

 private:
  Status prepare();
  void carry();
  void take_frames();
  void sleep_until_due();
  Status watch(int fd);
  bool handle_signals();
  bool handle_commands();
  void say(const std::string& line);

  net::Net& net_;
  const Timeline& timeline_;
  std::vector<std::unique_ptr<Port>>& ports_;
  Command command_;
  Report report_;
  io::Fd epoll_;
  io::Fd timer_;
  io::Fd signals_;
  Instant armed_ = kNever;
  std::string line_;
};

}  // namespace pw::lab
