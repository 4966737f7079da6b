// PeerTable: the numbers of every peer that is known, and who of them carries a label.
//
// An increment goes to exactly one place: to the peer's own counters while it has a label, to `other` while it has
// none. So neither ever falls, and what is lost from sight with a label comes back unchanged with it. Network thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/snapshot.hpp"
#include "observe/peer_label.hpp"
#include "observe/peer_series.hpp"

namespace pw::observe {

class PeerTable {
 public:
  /// Labels change hands at most this often, unless a limit or always_label makes it necessary.
  static constexpr Duration kChoiceInterval = 60s;
  /// Peers that are gone and not yet evicted; beyond, the longest gone leave early. Keeps a mesh of visitors that come
  /// and go from filling memory: 1000 rows are some 600 kB.
  static constexpr std::size_t kMaxGone = 1000;

  PeerTable(PeerLabel mode, Buffer key, Duration retention) : labels_{mode, std::move(key)}, retention_{retention} {}

  void add(const PeerId& id);
  /// `totals`: what it has come to since the last snapshot counts, too.
  void remove(const PeerId& id, Instant at, const event::PeerTotals& totals);
  /// Where an increment of this peer belongs now. Valid until the next call.
  PeerCounters& counters_of(const PeerId& id);

  /// Takes the exact totals of the snapshot and gives the series of the labelled peers. Then, for the next time, evicts
  /// and hands labels out: what a series had when it leaves was shown once. O(peers).
  std::vector<PeerSeries> fold(const event::NodeSnapshot& node, WallTime wall);

  /// At most so many labels; takes effect after the next fold().
  void limit(std::size_t max_labelled);
  void relabel(PeerLabel mode, Buffer key);
  void retain(Duration retention) { retention_ = retention; }

  const PeerCounters& other() const { return other_; }
  /// Some peer was without a label at some time.
  bool has_other() const { return has_other_; }
  PathSet paths() const { return paths_; }
  std::uint64_t evicted_series() const { return evicted_series_; }
  std::size_t size() const { return rows_.size(); }

 private:
  struct Row {
    explicit Row(const PeerId& peer) : id{peer} {}
    PeerId id;
    bool labelled = false;
    bool always = false;
    double badness = 0;
    std::uint64_t generation = 0;    // of the last snapshot that had it
    Instant gone_since = kNever;     // kNever: it is known
    std::uint64_t traffic_then = 0;  // at the last choice
    std::string label;               // taken at the first labelling, kept as long as the row
    std::string name, software;      // what text was made of
    std::shared_ptr<const PeerText> text;
    PeerCounters counters;
    event::PeerTotals last;  // the core's, as last seen
  };

  std::size_t find_or_add(const PeerId& id);
  void give_label(Row& row);
  void take_label(Row& row);
  std::vector<PeerSeries> series(const event::NodeSnapshot& node, WallTime wall);
  void absorb(Row& row, const event::PeerSnapshot& peer);
  void absorb_traffic(Row& row, const event::PeerTotals& peer);
  void refresh_text(Row& row, const std::string& name, const std::string& software);
  void evict(Instant now);
  void erase(std::size_t index);
  void choose(Instant now);

  PeerLabels labels_;
  Duration retention_;
  std::size_t limit_ = 0;
  std::vector<Row> rows_;
  std::unordered_map<PeerId, std::size_t> index_;
  std::vector<std::size_t> order_;  // row of each peer of the snapshot
  std::size_t labelled_ = 0;
  PeerCounters other_;
  bool has_other_ = false;
  PathSet paths_ = kDirectPaths;
  std::uint64_t evicted_series_ = 0;
  std::uint64_t generation_ = 0;
  Instant next_choice_{};
  bool choose_now_ = false;
};

}  // namespace pw::observe
