// What is left of a connection during its closing or draining period (RFC 9000 section 10.2): enough to stay silent, or
// to repeat the close packet, and to know its packets from a stranger's. About a hundredth of a live connection's
// memory.
#pragma once

#include <utility>
#include <vector>

#include "quic/connection.hpp"

namespace pw::quic {

class Lingering {
 public:
  Lingering(Shared& shared, Connection& ended, Buffer close_packet)
      : shared_{&shared},
        handle_{ended.handle()},
        stats_{ended.stats()},
        exporter_{ended.exporter()},
        paths_{ended.paths().last()},
        ids_{ended.take_ids()},
        tokens_{ended.take_reset_tokens()},
        close_packet_{std::move(close_packet)} {}
  ~Lingering() {
    for (const ConnectionId& id : ids_) shared_->ids.erase(id);
    for (const ResetToken& token : tokens_) shared_->reset_tokens.erase(token);
  }
  Lingering(const Lingering&) = delete;
  Lingering& operator=(const Lingering&) = delete;

  /// The 1st, 2nd, 4th, 8th … packet is answered (section 10.2.1: "limit the rate"), whatever came, since nothing is
  /// decrypted any more. Only to the paths in use: an address that just turned up may be forged.
  void handle_datagram() {
    ++received_;
    if ((received_ & (received_ - 1)) == 0) say_close();
  }
  void say_close() const {
    if (close_packet_.empty()) return;
    for (const PathAddress& path : paths_) shared_->transmits.push_back({handle_, path, 0, close_packet_});
  }
  const Stats& stats() const { return stats_; }
  const Digest& exporter() const { return exporter_; }

 private:
  Shared* shared_;
  Handle handle_;
  Stats stats_;
  Digest exporter_;
  std::vector<PathAddress> paths_;
  std::vector<ConnectionId> ids_;
  std::vector<ResetToken> tokens_;
  Buffer close_packet_;
  std::uint64_t received_ = 0;
};

}  // namespace pw::quic
