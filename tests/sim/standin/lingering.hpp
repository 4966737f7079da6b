// What is left of a connection while it closes or drains (RFC 9000 section 10.2).
#pragma once

#include <utility>
#include <vector>

#include "sim/standin/connection.hpp"

namespace pw::quic::standin {

class Lingering {
 public:
  Lingering(Shared& shared, Connection& ended, Buffer close_packet)
      : shared_{&shared},
        handle_{ended.handle()},
        first_id_{ended.first_id()},
        reset_token_{ended.reset_token()},
        stats_{ended.stats()},
        exporter_{ended.exporter()},
        paths_{ended.paths().last()},
        close_packet_{std::move(close_packet)} {}
  ~Lingering() {
    const auto first = shared_->first_ids.find(first_id_);
    if (first != shared_->first_ids.end() && first->second == handle_) shared_->first_ids.erase(first);
    if (reset_token_ != 0) shared_->reset_tokens.erase(reset_token_);
  }
  Lingering(const Lingering&) = delete;
  Lingering& operator=(const Lingering&) = delete;

  /// The 1st, 2nd, 4th, 8th … packet is answered.
  void handle_datagram() {
    ++received_;
    if ((received_ & (received_ - 1)) == 0) say_close();
  }
  void say_close() const {
    if (close_packet_.empty()) return;
    for (const PathAddress& path : paths_) shared_->transmits.push_back({handle_, path, 0, close_packet_});
  }
  const Stats& stats() const { return stats_; }
  const Connection::Exporter& exporter() const { return exporter_; }

 private:
  Shared* shared_;
  Handle handle_;
  std::uint64_t first_id_;
  std::uint64_t reset_token_;
  Stats stats_;
  Connection::Exporter exporter_;
  std::vector<PathAddress> paths_;
  Buffer close_packet_;
  std::uint64_t received_ = 0;
};

}  // namespace pw::quic::standin
