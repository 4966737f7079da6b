#include "peer/link.hpp"

#include <algorithm>
#include <utility>

#include "peer/admission.hpp"

namespace pw::peer {

using event::AdmissionRefusal;
using wire::StreamKind;

Link::Link(Context& context, const quic::Established& established, Instant now, bool held)
    : context_{context},
      handle_{established.connection},
      peer_{established.peer},
      dialled_{established.dialled},
      path_{established.path},
      since_{now},
      deadline_{now + context.options.admission_timeout},
      held_{held},
      keys_{path::derive_keys(context.endpoint.exporter(established.connection), established.dialled)} {
  context_.tags.emplace(keys_.own_tag, handle_);
  if (!dialled_) return;
  control_ = open(StreamKind::control);
  if (secret_mode())
    say_proof(0);
  else
    say_hello();
}

std::optional<quic::StreamId> Link::open(StreamKind kind) {
  const auto stream = context_.endpoint.open_stream(handle_);
  if (!stream) return std::nullopt;
  const std::uint8_t byte = static_cast<std::uint8_t>(kind);
  if (!context_.endpoint.write_stream(handle_, *stream, ByteView{&byte, 1})) return std::nullopt;
  streams_[*stream] = kind;
  return *stream;
}

std::optional<quic::StreamId> Link::open_bulk() { return open(StreamKind::bandwidth); }

bool Link::send(const wire::ControlMessage& message) {
  return control_ && context_.endpoint.write_stream(handle_, *control_, wire::encode(message)).has_value();
}

bool Link::send(const wire::EchoFrame& frame) {
  return echo_ && context_.endpoint.write_stream(handle_, *echo_, wire::encode(frame)).has_value();
}

bool Link::outdated() const {
  if (peer_hello_ && peer_hello_->mesh != context_.membership.mesh) return true;
  if (!secret_mode()) return false;
  return !admitted_by_ || std::ranges::none_of(context_.membership.secrets,
                                               [&](const Buffer& secret) { return sha256(secret) == *admitted_by_; });
}

std::uint64_t Link::new_losses() {
  const std::uint64_t all = context_.endpoint.stats(handle_).datagrams_lost;
  if (all <= losses_) return 0;  // a link whose end is long past
  return all - std::exchange(losses_, all);
}

void Link::say_hello() {
  if (std::exchange(hello_said_, true)) return;
  wire::Hello hello;
  hello.instance = context_.instance;
  hello.software = context_.options.software;
  hello.mesh = context_.membership.mesh;
  send(hello);
}

void Link::say_proof(std::size_t secret) {
  const ProofInput input{context_.endpoint.exporter(handle_), dialled_ ? Role::dialler : Role::acceptor,
                         dialled_ ? context_.self : peer_, dialled_ ? peer_ : context_.self, context_.membership.mesh};
  if (secret < context_.membership.secrets.size())
    send(wire::AdmissionProof{prove(context_.membership.secrets[secret], input), context_.membership.mesh});
}

std::vector<LinkEvent> Link::release() {
  std::vector<LinkEvent> events;
  held_ = false;
  if (!dead_) answer(events);
  return events;
}

std::vector<LinkEvent> Link::handle(const quic::StreamData& data) {
  std::vector<LinkEvent> events;
  // What was read is given back to flow control at once: nothing here keeps more than one message.
  if (!data.bytes.empty()) context_.endpoint.consume(handle_, data.stream, data.bytes.size());
  if (dead_) return events;
  if (streams_.size() >= kMaxStreams && !streams_.contains(data.stream)) {
    dead_ = true;
    events.emplace_back(LinkBroken{"too many streams"});
    return events;
  }
  auto& open_kind = streams_[data.stream];
  ByteView bytes = data.bytes;
  if (!open_kind && !bytes.empty()) {
    const auto kind = static_cast<StreamKind>(bytes[0]);
    bytes = bytes.subspan(1);
    const bool known = kind == StreamKind::control || kind == StreamKind::echo || kind == StreamKind::bandwidth;
    const bool taken = (kind == StreamKind::control && control_) || (kind == StreamKind::echo && echo_);
    if (!known || taken) {
      dead_ = true;
      events.emplace_back(LinkBroken{known ? "a second stream of one kind" : "a stream of an unknown kind"});
      return events;
    }
    open_kind = kind;
    if (kind == StreamKind::control) control_ = data.stream;
    if (kind == StreamKind::echo) echo_ = data.stream;
  }
  if (!open_kind) {
    if (data.fin) streams_.erase(data.stream);  // ended before it said what it is for
    return events;
  }
  switch (*open_kind) {
    case StreamKind::control:
      handle_control(bytes, events);
      if (data.fin && !dead_) {
        dead_ = true;
        events.emplace_back(LinkBroken{"the control stream was ended"});
      }
      break;
    case StreamKind::echo:
      handle_echo(bytes, events);
      break;
    case StreamKind::bandwidth:
      if (admitted_) events.emplace_back(LinkBulk{data.stream, Buffer(bytes.begin(), bytes.end()), data.fin});
      break;
  }
  if (data.fin) streams_.erase(data.stream);
  return events;
}

void Link::handle_control(ByteView bytes, std::vector<LinkEvent>& events) {
  control_reader_.feed(bytes);
  if (!dialled_ && !admitted_) answer(events);  // the stream is there: an allowlist's Hello may go
  while (!dead_) {
    auto message = control_reader_.next();
    if (!message) return;
    if (!*message) {
      dead_ = true;
      events.emplace_back(LinkBroken{message->error().detail});
    } else if (admitted_) {
      events.emplace_back(LinkControl{std::move(**message)});
    } else {
      admit(**message, events);
    }
  }
}

void Link::handle_echo(ByteView bytes, std::vector<LinkEvent>& events) {
  echo_reader_.feed(bytes);
  if (echo_reader_.pending() > kMaxEarlyEcho && !admitted_ && !std::exchange(dead_, true))
    events.emplace_back(LinkBroken{"too much echo before admission"});
  if (!admitted_) return;  // the network may reorder: an echo can overtake the Hello
  while (auto frame = echo_reader_.next()) events.emplace_back(LinkEcho{*frame});
  if (echo_reader_.broken() && !std::exchange(dead_, true)) events.emplace_back(LinkBroken{"a malformed echo frame"});
}

void Link::admit(const wire::ControlMessage& message, std::vector<LinkEvent>& events) {
  if (const auto* proof = std::get_if<wire::AdmissionProof>(&message)) {
    if (secret_mode()) handle_proof(*proof, events);
  } else if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    handle_hello(*hello, events);
  } else {
    dead_ = true;
    events.emplace_back(LinkBroken{"a message before admission"});
  }
}

void Link::handle_proof(const wire::AdmissionProof& proof, std::vector<LinkEvent>& events) {
  const ProofInput input{context_.endpoint.exporter(handle_), dialled_ ? Role::acceptor : Role::dialler,
                         dialled_ ? context_.self : peer_, dialled_ ? peer_ : context_.self, context_.membership.mesh};
  if (proof.mesh != context_.membership.mesh) {
    dead_ = true;
    events.emplace_back(LinkRefused{AdmissionRefusal::wrong_mesh});
    return;
  }
  const auto secret = verify(context_.membership, input, proof.hmac);
  if (!secret) {
    dead_ = true;
    events.emplace_back(LinkRefused{AdmissionRefusal::wrong_secret});
    return;
  }
  admitted_by_ = sha256(context_.membership.secrets[*secret]);
  answer(events);
}

void Link::answer(std::vector<LinkEvent>& events) {
  if (held_ || hello_said_ || !control_ || (secret_mode() && !admitted_by_)) return;
  // The acceptor proves itself with the secret that the dialler used: both know it, whichever is current here.
  if (secret_mode() && !dialled_)
    for (std::size_t i = 0; i < context_.membership.secrets.size(); ++i)
      if (sha256(context_.membership.secrets[i]) == *admitted_by_) say_proof(i);
  say_hello();
  conclude(events);
}

void Link::handle_hello(const wire::Hello& hello, std::vector<LinkEvent>& events) {
  std::optional<AdmissionRefusal> refusal;
  if (hello.mesh != context_.membership.mesh) refusal = AdmissionRefusal::wrong_mesh;
  if (secret_mode() && !admitted_by_) refusal = AdmissionRefusal::no_proof;
  if (refusal) {
    dead_ = true;
    events.emplace_back(LinkRefused{*refusal});
    return;
  }
  if (hello.version_min > wire::kProtocolVersion || hello.version_max < wire::kProtocolVersion || peer_hello_) {
    dead_ = true;
    events.emplace_back(LinkBroken{peer_hello_ ? "a second Hello" : "no common protocol version"});
    return;
  }
  peer_hello_ = hello;
  conclude(events);
}

void Link::conclude(std::vector<LinkEvent>& events) {
  if (held_ && peer_hello_) events.emplace_back(LinkIntroduced{*peer_hello_});
  if (admitted_ || held_ || !hello_said_ || !peer_hello_) return;
  admitted_ = true;
  if (dialled_) echo_ = open(StreamKind::echo);
  events.emplace_back(LinkAdmitted{*peer_hello_});
  handle_echo({}, events);
}

std::vector<LinkEvent> Link::handle_reset(quic::StreamId stream) {
  std::vector<LinkEvent> events;
  streams_.erase(stream);
  if ((stream == control_ || stream == echo_) && !std::exchange(dead_, true))
    events.emplace_back(LinkBroken{"the control or echo stream was reset"});
  else
    events.emplace_back(LinkBulk{stream, {}, true});
  return events;
}

}  // namespace pw::peer
