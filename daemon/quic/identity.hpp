// A node's identity: an Ed25519 key and the self-signed X.509 certificate that carries it in TLS.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/peer_id.hpp"
#include "base/result.hpp"
#include "base/signature.hpp"

namespace pw::quic {

class Identity {
 public:
  static constexpr std::size_t kSeedSize = 32;
  using Seed = std::array<std::uint8_t, kSeedSize>;

  /// The private key is the 32-byte seed of RFC 8032 section 5.1.5.
  static Result<Identity> from_seed(const Seed& seed);

  Identity(Identity&&) noexcept;
  Identity& operator=(Identity&&) noexcept;
  ~Identity();

  const PeerId& id() const;
  /// Ed25519 (RFC 8032). What is signed begins with a label of its own kind, so that no signature serves twice.
  Signature sign(ByteView message) const;

  struct Tls;  // GnuTLS, for this room only
  Tls& tls() const { return *tls_; }

 private:
  explicit Identity(std::unique_ptr<Tls> tls);
  std::unique_ptr<Tls> tls_;
};

}  // namespace pw::quic
