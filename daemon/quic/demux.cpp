// Where a datagram belongs (RFC 9000 section 5.2): to a connection, to one that is closing, to a new one, or to nobody.
#include <ngtcp2/ngtcp2.h>

#include "quic/endpoint_impl.hpp"

namespace pw::quic {

using event::RejectReason;

namespace {

/// Why a long-header packet of QUIC 1 for no connection of ours begins none (RFC 9000 sections 17.2 and 14.1).
RejectReason reason_against(ByteView bytes) {
  const std::uint8_t first = bytes[0] & 0xf0;
  if ((first & 0x40) == 0) return RejectReason::malformed;  // the fixed bit
  if (first != 0xc0) return RejectReason::unknown_connection;
  return bytes.size() < NGTCP2_MAX_UDP_PAYLOAD_SIZE ? RejectReason::initial_too_small : RejectReason::malformed;
}

/// Of a long header too short or too strange to parse further.
bool speaks_another_version(ByteView bytes) {
  if (bytes.size() < 5 || (bytes[0] & 0x80) == 0) return false;
  ByteReader reader{bytes.subspan(1)};
  const std::uint32_t version = reader.u32();
  return version != 0 && version != NGTCP2_PROTO_VER_V1;
}

}  // namespace

std::optional<Handle> Endpoint::Impl::handle_datagram(const PathAddress& from, ByteView bytes) {
  if (bytes.empty()) return reject(RejectReason::empty, from);
  ngtcp2_version_cid header{};
  const int decoded = ngtcp2_pkt_decode_version_cid(&header, bytes.data(), bytes.size(), kConnectionIdSize);
  if (decoded != 0 && decoded != NGTCP2_ERR_VERSION_NEGOTIATION) {
    return reject(speaks_another_version(bytes) ? RejectReason::unsupported_version : RejectReason::malformed, from);
  }
  if (header.dcidlen <= NGTCP2_MAX_CIDLEN) {
    const auto known = shared.ids.find(ConnectionId{ByteView{header.dcid, header.dcidlen}});
    if (known != shared.ids.end()) return handle_known(known->second, from, bytes);
  }
  return handle_unknown(header, from, bytes);
}

std::optional<Handle> Endpoint::Impl::handle_known(Handle handle, const PathAddress& from, ByteView bytes) {
  Connection* c = find(handle);
  if (c == nullptr) {
    if (const auto left = lingering.find(handle); left != lingering.end()) left->second.handle_datagram();
    return std::nullopt;
  }
  if (!c->read(now, bytes)) return reject(RejectReason::wrong_source, from);
  if (!c->ended() && !c->may_wait()) mark(*c);
  settle(*c);
  return handle;
}

std::optional<Handle> Endpoint::Impl::handle_unknown(const ngtcp2_version_cid& header, const PathAddress& from,
                                                     ByteView bytes) {
  const bool long_header = (bytes[0] & 0x80) != 0;
  if (!long_header) {
    // RFC 9000 section 10.3.1: resets carry random IDs; the last 16 bytes tell.
    if (bytes.size() >= NGTCP2_STATELESS_RESET_TOKENLEN) {
      const auto known = shared.reset_tokens.find(ResetToken{bytes.last(NGTCP2_STATELESS_RESET_TOKENLEN).data()});
      if (known != shared.reset_tokens.end()) {
        const Handle handle = known->second;
        if (Connection* c = find(handle)) {
          c->reset_by_peer();
          settle(*c);
        }
        return handle;
      }
    }
    stateless.reset(now, from, ConnectionId{ByteView{header.dcid, header.dcidlen}}, bytes.size());
    return reject(RejectReason::unknown_connection, from);
  }
  if (header.version == 0) return reject(RejectReason::unknown_connection, from);
  if (header.version != NGTCP2_PROTO_VER_V1) {
    if (bytes.size() >= NGTCP2_MAX_UDP_PAYLOAD_SIZE) stateless.version_negotiation(now, from, header);
    return reject(RejectReason::unsupported_version, from);
  }
  return handle_initial(from, bytes);
}

std::optional<Handle> Endpoint::Impl::handle_initial(const PathAddress& from, ByteView bytes) {
  Origin origin{};
  if (ngtcp2_accept(&origin.header, bytes.data(), bytes.size()) != 0) {
    return reject(reason_against(bytes), from);
  }
  if (!sources.take(now, from)) return reject(RejectReason::rate_limited, from);
  if (connections.size() >= shared.options.max_connections || half_open >= shared.options.max_half_open) {
    stateless.refuse(now, from, origin.header, NGTCP2_CONNECTION_REFUSED);
    return reject(RejectReason::half_open_limit, from);
  }
  switch (stateless.check(now, from, origin.header, origin.before_retry)) {
    case Stateless::Token::valid:
      break;
    case Stateless::Token::invalid:
      stateless.refuse(now, from, origin.header, NGTCP2_INVALID_TOKEN);
      return reject(RejectReason::invalid_token, from);
    case Stateless::Token::none:
      // ngtcp2 lets a token of any kind excuse a short ID (RFC 9000 section 7.2 asks for 8 bytes at least).
      if (origin.header.dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN) return reject(RejectReason::malformed, from);
      if (half_open < shared.options.retry_threshold) break;
      stateless.retry(now, from, origin.header);
      return std::nullopt;
  }
  return accept(from, bytes, origin);
}

std::optional<Handle> Endpoint::Impl::accept(const PathAddress& from, ByteView bytes, const Origin& origin) {
  const Handle handle{++last_handle};
  auto made = Connection::accept(shared, handle, now, from, origin);
  if (!made) return reject(RejectReason::half_open_limit, from);
  Connection& c = *made;
  c.read(now, bytes);
  if (c.ended()) {
    // Nothing was authentic yet, so nobody needs to hear of it.
    if (c.ended()->kind == Ending::Kind::retry) return stateless.retry(now, from, origin.header), std::nullopt;
    if (c.ended()->kind == Ending::Kind::silent) return reject(RejectReason::malformed, from);
  }
  connections.emplace(handle, std::move(made));
  if (!c.ended()) mark(c);
  settle(c);
  return handle;
}

}  // namespace pw::quic
