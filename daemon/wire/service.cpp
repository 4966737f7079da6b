#include "wire/service.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "service.pb.h"
#include "wire/address_codec.hpp"

namespace pw::wire::service {

namespace proto = ::peerwatch::service;

namespace {

std::string text_of(ByteView bytes) { return std::string{as_text(bytes)}; }

// ---- out

struct ToEnvelope {
  proto::Envelope& out;

  void operator()(const Hello& m) const {
    auto* p = out.mutable_hello();
    p->set_version_min(m.version_min);
    p->set_version_max(m.version_max);
    p->set_services(static_cast<std::uint32_t>(m.services));
    for (const Digest& tag : m.mesh_tags) p->add_mesh_tags(text_of(tag));
    if (m.proof) p->set_proof(text_of(*m.proof));
    p->set_notify(m.notify);
    p->set_resume(m.resume);
  }
  void operator()(const Welcome& m) const {
    auto* p = out.mutable_welcome();
    p->set_version(m.version);
    p->set_services(static_cast<std::uint32_t>(m.services));
    if (m.observed) put_address(*p->mutable_observed(), *m.observed);
    p->set_max_channels(m.max_channels);
    p->set_bytes_per_second(m.bytes_per_second);
    p->set_pair_bytes(m.pair_bytes);
    p->set_max_lifetime_s(m.max_lifetime_s);
    p->set_challenge(text_of(m.challenge));
  }
  void operator()(const Confirm& m) const { out.mutable_confirm()->set_challenge(text_of(m.challenge)); }
  void operator()(const Resumed& m) const {
    auto* p = out.mutable_resumed();
    for (const Channel channel : m.channels) p->add_channels(channel);
  }
  void operator()(const Observe& m) const { out.mutable_observe()->set_request(m.request); }
  void operator()(const Observed& m) const {
    auto* p = out.mutable_observed();
    p->set_request(m.request);
    if (m.address) put_address(*p->mutable_address(), *m.address);
  }
  void operator()(const Register& m) const {
    auto* p = out.mutable_register_();
    p->set_request(m.request);
    p->set_record(text_of(m.record));
  }
  void operator()(const Registered& m) const {
    auto* p = out.mutable_registered();
    p->set_request(m.request);
    p->set_expires_s(m.expires_s);
  }
  void operator()(const Lookup& m) const {
    auto* p = out.mutable_lookup();
    p->set_request(m.request);
    if (m.peer) p->set_peer(text_of(m.peer->key()));
    if (m.after) p->set_after(text_of(m.after->key()));
  }
  void operator()(const Found& m) const {
    auto* p = out.mutable_found();
    p->set_request(m.request);
    p->set_more(m.more);
    for (const Found::Entry& entry : m.entries) {
      auto* e = p->add_entries();
      e->set_record(text_of(entry.record));
      for (const SocketAddress& address : entry.observed) put_address(*e->add_observed(), address);
      e->set_age_s(entry.age_s);
      e->set_present(entry.present);
    }
  }
  void operator()(const PeerPresent& m) const { out.mutable_peer_present()->set_peer(text_of(m.peer.key())); }
  void operator()(const PeerGone& m) const { out.mutable_peer_gone()->set_peer(text_of(m.peer.key())); }
  void operator()(const OpenChannel& m) const { put_channel(*out.mutable_open_channel(), m); }
  void operator()(const ChannelOpened& m) const { put_channel(*out.mutable_channel_opened(), m); }
  void operator()(const PeerObserved& m) const {
    auto* p = out.mutable_peer_observed();
    p->set_channel(m.channel);
    put_address(*p->mutable_address(), m.address);
  }
  void operator()(const ChannelClosed& m) const {
    auto* p = out.mutable_channel_closed();
    p->set_channel(m.channel);
    p->set_reason(static_cast<proto::ChannelClosed::Reason>(m.reason));
  }
  void operator()(const CheckMapping& m) const {
    auto* p = out.mutable_check_mapping();
    p->set_number(m.number);
    put_address(*p->mutable_address(), m.address);
    p->set_transaction(text_of(m.transaction));
  }
  void operator()(const MappingChecked& m) const { out.mutable_mapping_checked()->set_number(m.number); }
  void operator()(const Refused& m) const {
    auto* p = out.mutable_refused();
    p->set_what(static_cast<proto::Refused::What>(m.what));
    p->set_reason(static_cast<proto::Refused::Reason>(m.reason));
    p->set_number(m.number);
  }
  void operator()(const Unknown&) const {}

  template <class P, class M>
  static void put_channel(P& p, const M& m) {
    p.set_channel(m.channel);
    p.set_peer(text_of(m.peer.key()));
  }
};

// ---- in

Result<Digest> digest_of(const std::string& bytes, const char* what) {
  Digest out;
  if (bytes.size() != out.size()) return fail(std::string{what} + " has 32 bytes");
  std::ranges::copy(as_bytes(bytes), out.begin());
  return out;
}

Result<PeerId> id_of(const std::string& bytes) {
  const auto key = digest_of(bytes, "a peer's id");
  if (!key) return tl::unexpected(key.error());
  return PeerId{*key};
}

Status read_challenge(const std::string& bytes, Challenge& out) {
  if (bytes.size() != out.size()) return fail("a challenge has 16 bytes");
  std::ranges::copy(as_bytes(bytes), out.begin());
  return {};
}

Result<Channel> channel_of(std::uint32_t number) {
  if (number > 0xffff) return fail("a channel has 16 bits");
  return static_cast<Channel>(number);
}

/// Unknown ones of a later version are no error.
Services services_of(std::uint32_t bits) { return static_cast<Services>(bits & 7U); }

Result<std::optional<SocketAddress>> perhaps_address(bool given, const proto::Address& p) {
  if (!given) return std::nullopt;
  const auto address = address_of(p);
  if (!address) return tl::unexpected(address.error());
  return *address;
}

Result<Message> from(const proto::Hello& p) {
  Hello m{p.version_min(), p.version_max(), services_of(p.services()), {}, {}, p.notify(), p.resume()};
  if (m.version_min > m.version_max) return fail("the version range of a Hello is empty");
  if (static_cast<std::size_t>(p.mesh_tags_size()) > kMaxMeshTags) return fail("a Hello has at most 2 mesh tags");
  for (const std::string& bytes : p.mesh_tags()) {
    const auto tag = digest_of(bytes, "a mesh tag");
    if (!tag) return tl::unexpected(tag.error());
    m.mesh_tags.push_back(*tag);
  }
  if (!p.proof().empty()) {
    const auto proof = digest_of(p.proof(), "a proof");
    if (!proof) return tl::unexpected(proof.error());
    m.proof = *proof;
  }
  return m;
}

Result<Message> from(const proto::Welcome& p) {
  const auto observed = perhaps_address(p.has_observed(), p.observed());
  if (!observed) return tl::unexpected(observed.error());
  Welcome m{p.version(),    services_of(p.services()), *observed, p.max_channels(), p.bytes_per_second(),
            p.pair_bytes(), p.max_lifetime_s(),        {}};
  if (const auto good = read_challenge(p.challenge(), m.challenge); !good) return tl::unexpected(good.error());
  return m;
}

Result<Message> from(const proto::Confirm& p) {
  Confirm m;
  if (const auto good = read_challenge(p.challenge(), m.challenge); !good) return tl::unexpected(good.error());
  return m;
}

Result<Message> from(const proto::Resumed& p) {
  if (static_cast<std::size_t>(p.channels_size()) > kMaxResumed) return fail("more than 256 channels were resumed");
  Resumed m;
  for (const std::uint32_t number : p.channels()) {
    const auto channel = channel_of(number);
    if (!channel) return tl::unexpected(channel.error());
    m.channels.push_back(*channel);
  }
  return m;
}

Result<Message> from(const proto::Observed& p) {
  const auto address = perhaps_address(p.has_address(), p.address());
  if (!address) return tl::unexpected(address.error());
  return Observed{p.request(), *address};
}

Result<Message> from(const proto::Register& p) {
  const ByteView record = as_bytes(p.record());
  return Register{p.request(), Buffer(record.begin(), record.end())};
}

Result<Message> from(const proto::Lookup& p) {
  Lookup m{p.request(), {}, {}};
  for (const auto& [bytes, to] : {std::pair{&p.peer(), &m.peer}, std::pair{&p.after(), &m.after}}) {
    if (bytes->empty()) continue;
    const auto id = id_of(*bytes);
    if (!id) return tl::unexpected(id.error());
    *to = *id;
  }
  return m;
}

Result<Message> from(const proto::Found& p) {
  Found m{p.request(), {}, p.more()};
  if (static_cast<std::size_t>(p.entries_size()) > kMaxFound) return fail("more than 32 entries in one answer");
  for (const auto& e : p.entries()) {
    const ByteView record = as_bytes(e.record());
    Found::Entry entry{Buffer(record.begin(), record.end()), {}, e.age_s(), e.present()};
    if (static_cast<std::size_t>(e.observed_size()) > kMaxObserved) return fail("more than 4 observed addresses");
    for (const auto& a : e.observed()) {
      const auto address = address_of(a);
      if (!address) return tl::unexpected(address.error());
      entry.observed.push_back(*address);
    }
    m.entries.push_back(std::move(entry));
  }
  return m;
}

Result<Message> from(const proto::CheckMapping& p) {
  const auto address = address_of(p.address());
  if (!address) return tl::unexpected(address.error());
  CheckMapping m{p.number(), *address, {}};
  if (p.transaction().size() != m.transaction.size()) return fail("a transaction has 12 bytes");
  std::ranges::copy(as_bytes(p.transaction()), m.transaction.begin());
  return m;
}

template <class M, class P>
Result<Message> peer_from(const P& p) {
  const auto id = id_of(p.peer());
  if (!id) return tl::unexpected(id.error());
  return M{*id};
}

template <class M, class P>
Result<Message> channel_from(const P& p) {
  const auto channel = channel_of(p.channel());
  if (!channel) return tl::unexpected(channel.error());
  const auto id = id_of(p.peer());
  if (!id) return tl::unexpected(id.error());
  return M{*channel, *id};
}

Result<Message> from(const proto::PeerObserved& p) {
  const auto channel = channel_of(p.channel());
  if (!channel) return tl::unexpected(channel.error());
  const auto address = address_of(p.address());
  if (!address) return tl::unexpected(address.error());
  return PeerObserved{*channel, *address};
}

/// A value of a later version's closed set: 0, which says nothing.
template <class E>
E closed_set(int value, E last) {
  return value >= 0 && value <= static_cast<int>(last) ? static_cast<E>(value) : E{};
}

}  // namespace

std::string_view to_string(Refusal reason) {
  using namespace std::string_view_literals;
  constexpr std::array kWords{"refused"sv,
                              "not admitted"sv,
                              "full"sv,
                              "too many requests"sv,
                              "a bad record"sv,
                              "an old record"sv,
                              "not offered here"sv,
                              "the peer is not present"sv,
                              "too many channels"sv,
                              "the channel is in use"sv,
                              "the pair has used up its bytes"sv,
                              "no common protocol version"sv,
                              "not where this client is seen"sv};
  return kWords.at(static_cast<std::size_t>(reason));
}

Buffer encode(const Message& message) {
  proto::Envelope envelope;
  std::visit(ToEnvelope{envelope}, message);
  return frame(envelope);
}

Result<Message> decode(ByteView message) {
  proto::Envelope envelope;
  if (!parse(envelope, message)) return fail("a control message can't be parsed");
  switch (envelope.body_case()) {
    case proto::Envelope::kHello:
      return from(envelope.hello());
    case proto::Envelope::kWelcome:
      return from(envelope.welcome());
    case proto::Envelope::kObserve:
      return Observe{envelope.observe().request()};
    case proto::Envelope::kObserved:
      return from(envelope.observed());
    case proto::Envelope::kRegister:
      return from(envelope.register_());
    case proto::Envelope::kRegistered:
      return Registered{envelope.registered().request(), envelope.registered().expires_s()};
    case proto::Envelope::kLookup:
      return from(envelope.lookup());
    case proto::Envelope::kFound:
      return from(envelope.found());
    case proto::Envelope::kPeerPresent:
      return peer_from<PeerPresent>(envelope.peer_present());
    case proto::Envelope::kPeerGone:
      return peer_from<PeerGone>(envelope.peer_gone());
    case proto::Envelope::kOpenChannel:
      return channel_from<OpenChannel>(envelope.open_channel());
    case proto::Envelope::kChannelOpened:
      return channel_from<ChannelOpened>(envelope.channel_opened());
    case proto::Envelope::kChannelClosed: {
      const auto channel = channel_of(envelope.channel_closed().channel());
      if (!channel) return tl::unexpected(channel.error());
      return ChannelClosed{*channel, closed_set(envelope.channel_closed().reason(), ChannelEnd::pair_limit)};
    }
    case proto::Envelope::kCheckMapping:
      return from(envelope.check_mapping());
    case proto::Envelope::kMappingChecked:
      return MappingChecked{envelope.mapping_checked().number()};
    case proto::Envelope::kConfirm:
      return from(envelope.confirm());
    case proto::Envelope::kResumed:
      return from(envelope.resumed());
    case proto::Envelope::kRefused: {
      const auto& p = envelope.refused();
      return Refused{closed_set(p.what(), Request::check_mapping), closed_set(p.reason(), Refusal::not_observed), p.number()};
    }
    case proto::Envelope::kPeerObserved:
      return from(envelope.peer_observed());
    case proto::Envelope::BODY_NOT_SET:
      return Unknown{};
  }
  return Unknown{};
}

Buffer in_channel(Channel channel, ByteView packet) {
  Buffer out;
  out.reserve(sizeof channel + packet.size());
  ByteWriter w{out};
  w.u16(channel);
  w.bytes(packet);
  return out;
}

std::optional<std::pair<Channel, ByteView>> out_of_channel(ByteView datagram) {
  ByteReader r{datagram};
  const Channel channel = r.u16();
  if (!r.ok() || r.remaining() == 0) return std::nullopt;
  return std::pair{channel, r.rest()};
}

}  // namespace pw::wire::service
