#include "quic/stateless.hpp"

#include <netinet/in.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace pw::quic {
namespace {

constexpr std::size_t kSmallestReset = NGTCP2_MIN_STATELESS_RESET_RANDLEN + NGTCP2_STATELESS_RESET_TOKENLEN;
/// Longer ones only cost more: this much looks like any short packet (RFC 9000 section 10.3).
constexpr std::size_t kLargestReset = 43;

/// The address as tokens bind it, every byte of it determined by the path. A channel through a relay, which has no
/// address, or another socket of ours stands where IPv6 has its zone.
class NativeAddress {
 public:
  explicit NativeAddress(const PathAddress& path) {
    const SocketAddress& a = path.remote;
    std::memset(&address_, 0, sizeof address_);
    const ByteView ip = a.ip.bytes();
    if (a.ip.family() == Family::v4 && path.via == Via::own) {
      address_.in.sin_family = AF_INET;
      address_.in.sin_port = htons(a.port);
      std::memcpy(&address_.in.sin_addr, ip.data(), ip.size());
      size_ = sizeof address_.in;
    } else {
      address_.in6.sin6_family = AF_INET6;
      address_.in6.sin6_port = htons(a.port);
      std::memcpy(&address_.in6.sin6_addr, ip.data(), ip.size());
      address_.in6.sin6_scope_id = static_cast<std::uint32_t>(path.via);
      size_ = sizeof address_.in6;
    }
  }
  const ngtcp2_sockaddr* get() const { return &address_.sa; }
  ngtcp2_socklen size() const { return size_; }

 private:
  ngtcp2_sockaddr_union address_;
  ngtcp2_socklen size_ = 0;
};

}  // namespace

void Stateless::send(const PathAddress& to, ngtcp2_ssize size) {
  if (size <= 0) return;
  const auto begin = shared_.scratch.begin();
  shared_.transmits.push_back({std::nullopt, to, 0, Buffer(begin, begin + size)});
}

void Stateless::version_negotiation(Instant now, const PathAddress& from, const ngtcp2_version_cid& asked) {
  if (!budget_.take(now)) return;
  // RFC 9000 section 6.3: a reserved version, so that nobody gets used to a list of one.
  std::array<std::uint32_t, 2> versions{NGTCP2_PROTO_VER_V1, NGTCP2_RESERVED_VERSION_MASK};
  std::array<std::uint8_t, 5> random;
  shared_.rng.fill(random);
  std::uint32_t filler = 0;
  std::memcpy(&filler, random.data(), sizeof filler);
  versions[1] |= filler & 0xf0f0f0f0U;
  send(from, ngtcp2_pkt_write_version_negotiation(shared_.scratch.data(), shared_.scratch.size(), random[4], asked.scid,
                                                  asked.scidlen, asked.dcid, asked.dcidlen, versions.data(),
                                                  versions.size()));
}

void Stateless::reset(Instant now, const PathAddress& from, const ConnectionId& unknown, std::size_t size) {
  if (size <= kSmallestReset || !budget_.take(now)) return;
  // What is no larger than a reset may be one, of an endpoint that knows as little of us: one byte less each time would
  // be twenty more of them for every stray packet.
  const std::size_t length = size > kLargestReset ? kLargestReset : kSmallestReset;
  std::array<std::uint8_t, kLargestReset> random;
  const std::span filler = std::span{random}.first(length - NGTCP2_STATELESS_RESET_TOKENLEN);
  shared_.rng.fill(filler);
  const ResetToken token = shared_.reset_token(unknown);
  send(from, ngtcp2_pkt_write_stateless_reset(shared_.scratch.data(), length, token.bytes.data(), filler.data(),
                                              filler.size()));
}

void Stateless::retry(Instant now, const PathAddress& from, const ngtcp2_pkt_hd& initial) {
  const ngtcp2_cid scid = shared_.new_id().native();
  const NativeAddress remote{from};
  std::array<std::uint8_t, NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2> token;
  const ngtcp2_ssize size =
      ngtcp2_crypto_generate_retry_token2(token.data(), token_key_.data(), token_key_.size(), initial.version,
                                          remote.get(), remote.size(), &scid, &initial.dcid, timestamp(now));
  if (size < 0) return;
  send(from, ngtcp2_crypto_write_retry(shared_.scratch.data(), kUdpPayload, initial.version, &initial.scid, &scid,
                                       &initial.dcid, token.data(), static_cast<std::size_t>(size)));
}

void Stateless::refuse(Instant now, const PathAddress& from, const ngtcp2_pkt_hd& initial, std::uint64_t error) {
  if (!budget_.take(now)) return;
  send(from, ngtcp2_crypto_write_connection_close(shared_.scratch.data(), kUdpPayload, initial.version, &initial.scid,
                                                  &initial.dcid, error, nullptr, 0));
}

Stateless::Token Stateless::check(Instant now, const PathAddress& from, const ngtcp2_pkt_hd& initial,
                                  std::optional<ConnectionId>& first_id) {
  // Another kind of token, say of another implementation, proves nothing and breaks nothing (RFC 9000 section 8.1.3).
  if (initial.tokenlen == 0 || initial.token[0] != NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) return Token::none;
  const NativeAddress remote{from};
  ngtcp2_cid original;
  const int result = ngtcp2_crypto_verify_retry_token2(
      &original, initial.token, initial.tokenlen, token_key_.data(), token_key_.size(), initial.version, remote.get(),
      remote.size(), &initial.dcid, static_cast<ngtcp2_duration>(kTokenLifetime.count()), timestamp(now));
  if (result != 0) return Token::invalid;
  first_id = ConnectionId{original};
  return Token::valid;
}

}  // namespace pw::quic
