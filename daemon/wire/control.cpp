#include "wire/control.hpp"

#include <algorithm>

#include "control.pb.h"
#include "wire/address_codec.hpp"

namespace pw::wire {

namespace control = ::peerwatch::control;

namespace {

std::string text_of(ByteView bytes) { return std::string{as_text(bytes)}; }

struct ToEnvelope {
  control::Envelope& out;
  void operator()(const AdmissionProof& m) const {
    auto* p = out.mutable_admission_proof();
    p->set_hmac(text_of(m.hmac));
    p->set_mesh(m.mesh);
  }
  void operator()(const Hello& m) const {
    auto* p = out.mutable_hello();
    p->set_version_min(m.version_min);
    p->set_version_max(m.version_max);
    p->set_instance(text_of(m.instance));
    p->set_software(m.software);
    p->set_mesh(m.mesh);
  }
  void operator()(const Goodbye& m) const {
    out.mutable_goodbye()->set_reason(static_cast<control::Goodbye::Reason>(m.reason));
  }
  void operator()(const BandwidthRequest& m) const {
    auto* p = out.mutable_bandwidth_request();
    p->set_id(m.id);
    p->set_direction(m.direction == Transfer::upload ? control::BandwidthRequest::UPLOAD
                                                     : control::BandwidthRequest::DOWNLOAD);
    p->set_bytes(m.bytes);
    p->set_duration_ms(m.duration_ms);
  }
  void operator()(const BandwidthAnswer& m) const {
    auto* p = out.mutable_bandwidth_answer();
    p->set_id(m.id);
    p->set_verdict(static_cast<control::BandwidthAnswer::Verdict>(static_cast<int>(m.verdict) + 1));
    p->set_bytes(m.bytes);
  }
  void operator()(const BandwidthReport& m) const {
    auto* p = out.mutable_bandwidth_report();
    p->set_id(m.id);
    p->set_bytes(m.bytes);
    p->set_elapsed_us(m.elapsed_us);
  }
  void operator()(const Candidates& m) const {
    auto* p = out.mutable_candidates();
    for (const Candidate& c : m.candidates) {
      auto* one = p->add_candidates();
      one->set_kind(static_cast<control::Candidates::Candidate::Kind>(c.kind));
      put_address(*one->mutable_address(), c.address);
      one->set_priority(c.priority);
    }
    for (const NatVerdict& n : m.nats) {
      using Nat = control::Candidates::Nat;
      Nat* one = p->add_nats();
      one->set_v6(n.family == Family::v6);
      one->set_udp(static_cast<Nat::Udp>(n.udp));
      one->set_mapping(static_cast<Nat::Mapping>(n.mapping));
      one->set_mapping_at_least(n.mapping_at_least);
      one->set_filtering(static_cast<Nat::Filtering>(n.filtering));
      one->set_allocation(static_cast<Nat::Allocation>(n.allocation));
      one->set_step(n.step);
      if (n.mapped) put_address(*one->mutable_mapped(), *n.mapped);
    }
    p->set_methods(m.methods);
  }
  void operator()(const Punch& m) const {
    auto* p = out.mutable_punch();
    p->set_kind(static_cast<control::Punch::Kind>(m.kind));
    p->set_round(m.round);
    p->set_method(static_cast<control::Punch::Method>(m.method));
    p->set_v6(m.family == Family::v6);
    p->set_attempt(m.attempt);
    p->set_first(m.first);
    p->set_step(m.step);
    p->set_count(m.count);
    p->set_failure(static_cast<control::Punch::Failure>(m.failure));
  }
  void operator()(const UnknownMessage&) const {}
};

template <std::size_t N>
bool copy_exactly(const std::string& from, std::array<std::uint8_t, N>& to) {
  if (from.size() != N) return false;
  std::ranges::copy(as_bytes(from), to.begin());
  return true;
}

constexpr std::size_t kMaxText = 64;  // of a software version or a mesh name

Result<ControlMessage> from(const control::AdmissionProof& p) {
  AdmissionProof m;
  if (!copy_exactly(p.hmac(), m.hmac)) return fail("an admission proof has 32 bytes");
  if (p.mesh().size() > kMaxText) return fail("a mesh name has at most 64 bytes");
  m.mesh = p.mesh();
  return m;
}

Result<ControlMessage> from(const control::Hello& p) {
  Hello m;
  m.version_min = p.version_min();
  m.version_max = p.version_max();
  if (m.version_min > m.version_max) return fail("the version range of a Hello is empty");
  if (!copy_exactly(p.instance(), m.instance)) return fail("an instance id has 16 bytes");
  if (p.software().size() > kMaxText) return fail("a software version has at most 64 bytes");
  if (p.mesh().size() > kMaxText) return fail("a mesh name has at most 64 bytes");
  m.software = p.software();
  m.mesh = p.mesh();
  return m;
}

Result<ControlMessage> from(const control::BandwidthRequest& p) {
  BandwidthRequest m;
  m.id = p.id();
  if (p.direction() == control::BandwidthRequest::UPLOAD)
    m.direction = Transfer::upload;
  else if (p.direction() == control::BandwidthRequest::DOWNLOAD)
    m.direction = Transfer::download;
  else
    return fail("a bandwidth request needs a direction");
  m.bytes = p.bytes();
  m.duration_ms = p.duration_ms();
  return m;
}

Result<ControlMessage> from(const control::BandwidthAnswer& p) {
  BandwidthAnswer m;
  m.id = p.id();
  if (p.verdict() < control::BandwidthAnswer::ACCEPTED || p.verdict() > control::BandwidthAnswer::QUOTA)
    return fail("a bandwidth answer needs a verdict");
  m.verdict = static_cast<BandwidthVerdict>(p.verdict() - 1);
  m.bytes = p.bytes();
  return m;
}

Result<ControlMessage> from(const control::Candidates& p) {
  Candidates m;
  if (static_cast<std::size_t>(p.candidates_size()) > Candidates::kMax) return fail("too many candidates");
  if (p.nats_size() > 2) return fail("more than one NAT of a family");
  for (const auto& c : p.candidates()) {
    const auto address = address_of(c.address());
    const bool known = control::Candidates::Candidate::Kind_IsValid(c.kind());
    if (!address && known) return tl::unexpected(address.error());
    // A kind that a later version has may be no address at all: it is left out, and counted.
    m.candidates.push_back({static_cast<std::uint32_t>(c.kind()), address.value_or(SocketAddress{}), c.priority()});
  }
  for (const auto& n : p.nats()) {
    NatVerdict verdict{.family = n.v6() ? Family::v6 : Family::v4,
                       .udp = static_cast<std::uint32_t>(n.udp()),
                       .mapping = static_cast<std::uint32_t>(n.mapping()),
                       .mapping_at_least = n.mapping_at_least(),
                       .filtering = static_cast<std::uint32_t>(n.filtering()),
                       .allocation = static_cast<std::uint32_t>(n.allocation()),
                       .step = n.step(),
                       .mapped = {}};
    if (!m.nats.empty() && m.nats.front().family == verdict.family) return fail("more than one NAT of a family");
    if (n.has_mapped()) {
      const auto mapped = address_of(n.mapped());
      if (!mapped) return tl::unexpected(mapped.error());
      verdict.mapped = *mapped;
    }
    m.nats.push_back(verdict);
  }
  m.methods = p.methods();
  return m;
}

Result<ControlMessage> from(const control::Punch& p) {
  if (p.attempt() > 0xff) return fail("an attempt has 8 bits");
  if (p.first() > 0xffff) return fail("a port has 16 bits");
  return Punch{.kind = static_cast<std::uint32_t>(p.kind()),
               .round = p.round(),
               .method = static_cast<std::uint32_t>(p.method()),
               .family = p.v6() ? Family::v6 : Family::v4,
               .attempt = static_cast<std::uint8_t>(p.attempt()),
               .first = static_cast<std::uint16_t>(p.first()),
               .step = p.step(),
               .count = p.count(),
               .failure = static_cast<std::uint32_t>(p.failure())};
}

}  // namespace

Buffer encode(const ControlMessage& message) {
  control::Envelope envelope;
  std::visit(ToEnvelope{envelope}, message);
  return frame(envelope);
}

Result<ControlMessage> decode_control(ByteView message) {
  control::Envelope envelope;
  if (!parse(envelope, message)) return fail("a control message can't be parsed");
  switch (envelope.body_case()) {
    case control::Envelope::kAdmissionProof:
      return from(envelope.admission_proof());
    case control::Envelope::kHello:
      return from(envelope.hello());
    case control::Envelope::kGoodbye: {
      const auto reason = envelope.goodbye().reason();
      return Goodbye{reason >= control::Goodbye::SHUTDOWN && reason <= control::Goodbye::REMOVED
                         ? static_cast<GoodbyeReason>(reason)
                         : GoodbyeReason::unspecified};
    }
    case control::Envelope::kBandwidthRequest:
      return from(envelope.bandwidth_request());
    case control::Envelope::kBandwidthAnswer:
      return from(envelope.bandwidth_answer());
    case control::Envelope::kBandwidthReport: {
      const auto& p = envelope.bandwidth_report();
      return BandwidthReport{p.id(), p.bytes(), p.elapsed_us()};
    }
    case control::Envelope::kCandidates:
      return from(envelope.candidates());
    case control::Envelope::kPunch:
      return from(envelope.punch());
    case control::Envelope::BODY_NOT_SET:
      return UnknownMessage{};
  }
  return UnknownMessage{};
}

std::optional<Result<ControlMessage>> ControlReader::next() {
  const auto message = frames_.next();
  if (!message) return std::nullopt;
  if (!*message) return Result<ControlMessage>{tl::unexpected(message->error())};
  return decode_control(**message);
}

}  // namespace pw::wire
