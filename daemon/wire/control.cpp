#include "wire/control.hpp"

#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "base/check.hpp"
#include "control.pb.h"

namespace pw::wire {

namespace control = ::peerwatch::control;

namespace {

// Protobuf prints what it dislikes about its input to stderr unless told otherwise; what a peer sends is not for there.
const bool kQuiet = [] {
  google::protobuf::SetLogHandler(nullptr);
  return true;
}();

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

}  // namespace

Buffer encode(const ControlMessage& message) {
  PW_CHECK(kQuiet);
  control::Envelope envelope;
  std::visit(ToEnvelope{envelope}, message);
  const std::size_t size = envelope.ByteSizeLong();
  PW_CHECK(size <= kMaxControlMessage);
  Buffer out;
  out.reserve(4 + size);
  ByteWriter{out}.u32(static_cast<std::uint32_t>(size));
  out.resize(4 + size);
  PW_CHECK(envelope.SerializeToArray(out.data() + 4, static_cast<int>(size)));
  return out;
}

Result<ControlMessage> decode_control(ByteView message) {
  control::Envelope envelope;
  if (message.size() > kMaxControlMessage || !envelope.ParseFromArray(message.data(), static_cast<int>(message.size())))
    return fail("a control message can't be parsed");
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
    case control::Envelope::BODY_NOT_SET:
      return UnknownMessage{};
  }
  return UnknownMessage{};
}

std::optional<Result<ControlMessage>> ControlReader::next() {
  if (pending_.size() < 4) return std::nullopt;
  const std::uint32_t size = ByteReader{pending_}.u32();
  if (size > kMaxControlMessage) return Result<ControlMessage>{fail("a control message is longer than 64 KiB")};
  if (pending_.size() - 4 < size) return std::nullopt;
  auto message = decode_control(ByteView{pending_}.subspan(4, size));
  pending_.erase(pending_.begin(), pending_.begin() + 4 + static_cast<std::ptrdiff_t>(size));
  if (pending_.empty()) Buffer{}.swap(pending_);
  return message;
}

}  // namespace pw::wire
