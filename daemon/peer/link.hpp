// Link: one QUIC connection to one peer, from TLS to the end: its streams, and the exchange that makes it a session's.
//
//   dialler                          acceptor
//   opens the control stream         (its key was judged before the link exists)
//   AdmissionProof (secret only) ─►  verifies ─► AdmissionProof, Hello
//   verifies ◄─
//   Hello ─►                         admitted
//   admitted
//
// With an allowlist both say Hello at once. Nothing but that is accepted before a link is admitted. An acceptor may be
// held: it answers only once release() is called (the tie of two simultaneous dials, see Session).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/digest.hpp"
#include "path/keys.hpp"
#include "peer/context.hpp"
#include "wire/control.hpp"
#include "wire/probe_frame.hpp"

namespace pw::peer {

/// What a link tells its session.
struct LinkAdmitted {
  wire::Hello hello;
};
struct LinkIntroduced {
  wire::Hello hello;
};  // it is held, and would be admitted once it is released
struct LinkRefused {
  event::AdmissionRefusal reason;
};
struct LinkBroken {
  std::string detail;
};  // the peer broke the protocol
struct LinkControl {
  wire::ControlMessage message;
};
struct LinkEcho {
  wire::EchoFrame frame;
};
struct LinkBulk {
  quic::StreamId stream;
  Buffer bytes;
  bool fin;
};  // of a bandwidth measurement
using LinkEvent = std::variant<LinkAdmitted, LinkIntroduced, LinkRefused, LinkBroken, LinkControl, LinkEcho, LinkBulk>;

class Link {
 public:
  /// Echo requests that overtook the Hello: one of the largest kind.
  static constexpr std::size_t kMaxEarlyEcho = wire::kMaxEchoPadding + 64;
  /// Checks that overtook the Hello: the first, which goes out with it, and what may follow within its retransmission.
  static constexpr std::size_t kMaxEarlyChecks = 4;
  /// Streams whose end was not seen. QUIC lets each side have eight open (quic::Options::max_streams_bidi).
  static constexpr std::size_t kMaxStreams = 32;

  Link(Context& context, const quic::Established& established, Instant now, bool held);
  ~Link() { context_.tags.erase(keys_.own_tag); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  quic::Handle handle() const { return handle_; }
  bool dialled() const { return dialled_; }
  bool admitted() const { return admitted_; }
  bool held() const { return held_; }
  bool has_echo() const { return echo_.has_value(); }
  const PathAddress& path() const { return path_; }
  /// Of the connectivity checks below it.
  const path::Keys& keys() const { return keys_; }
  const wire::Hello& hello() const { return *peer_hello_; }
  /// SHA-256 of the secret that admitted the peer; none with an allowlist.
  const std::optional<Digest>& admitted_by() const { return admitted_by_; }
  /// When its handshake was done.
  Instant since() const { return since_; }
  /// What admitted it, the secret or the mesh, is in force no more.
  bool outdated() const;
  /// Datagrams that QUIC lost on it since the last call.
  std::uint64_t new_losses();
  Instant admission_deadline() const { return admitted_ ? kNever : deadline_; }

  std::vector<LinkEvent> release();
  std::vector<LinkEvent> handle(const quic::StreamData& data);
  std::vector<LinkEvent> handle_reset(quic::StreamId stream);
  /// A check that overtook the Hello: kept until the link is admitted; a few of them, and none that is too large.
  struct EarlyCheck {
    Instant at{};
    PathAddress from;
    Buffer bytes;
  };
  void keep_early(const StunArrival& check) {
    if (early_.size() < kMaxEarlyChecks)
      early_.push_back({check.at, check.from, {check.bytes.begin(), check.bytes.end()}});
  }
  std::vector<EarlyCheck> take_early() { return std::exchange(early_, {}); }
  bool send(const wire::ControlMessage& message);
  bool send(const wire::EchoFrame& frame);
  /// A stream of our own for a measurement, its kind already written.
  std::optional<quic::StreamId> open_bulk();

 private:
  void handle_control(ByteView bytes, std::vector<LinkEvent>& events);
  void handle_echo(ByteView bytes, std::vector<LinkEvent>& events);
  void admit(const wire::ControlMessage& message, std::vector<LinkEvent>& events);
  void handle_proof(const wire::AdmissionProof& proof, std::vector<LinkEvent>& events);
  void handle_hello(const wire::Hello& hello, std::vector<LinkEvent>& events);
  void answer(std::vector<LinkEvent>& events);
  void say_hello();
  void say_proof(std::size_t secret);
  void conclude(std::vector<LinkEvent>& events);
  bool secret_mode() const { return context_.membership.admission == AdmissionMode::secret; }
  std::optional<quic::StreamId> open(wire::StreamKind kind);

  Context& context_;
  quic::Handle handle_;
  PeerId peer_;
  bool dialled_;
  PathAddress path_;
  Instant since_;
  Instant deadline_;
  bool held_;
  bool admitted_ = false;
  bool dead_ = false;  // refused or broken: nothing more is read
  bool hello_said_ = false;
  std::uint64_t losses_ = 0;
  std::optional<Digest> admitted_by_;
  std::optional<wire::Hello> peer_hello_;
  std::map<quic::StreamId, std::optional<wire::StreamKind>> streams_;  // empty until its first byte
  std::optional<quic::StreamId> control_;
  std::optional<quic::StreamId> echo_;
  path::Keys keys_;
  std::vector<EarlyCheck> early_;
  wire::ControlReader control_reader_;
  wire::EchoReader echo_reader_;
};

}  // namespace pw::peer
