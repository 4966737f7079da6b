#include "observe/peer_label.hpp"

#include <algorithm>

#include "observe/siphash.hpp"

namespace pw::observe {
namespace {

/// A key of any length as SipHash's.
SipKey sip_key(Buffer key) {
  SipKey out{};
  key.push_back(0);
  for (std::uint8_t i = 0; i < 2; ++i) {
    key.back() = i;
    out[i] = siphash({}, key);
  }
  return out;
}

/// 32 pseudo-random bytes in the alphabet of ids.
std::string pseudonym(const Buffer& key, const PeerId& id) {
  const SipKey sip = sip_key(key);
  std::array<std::uint8_t, PeerId::kSize + 1> message{};
  std::copy(id.key().begin(), id.key().end(), message.begin());
  std::array<std::uint8_t, PeerId::kSize> out{};
  for (std::uint8_t i = 0; i < 4; ++i) {
    message.back() = i;
    const std::uint64_t word = siphash(sip, message);
    for (std::size_t b = 0; b < 8; ++b) out[i * 8U + b] = static_cast<std::uint8_t>(word >> (8 * b));
  }
  return PeerId{out}.to_string();
}

}  // namespace

std::string PeerLabels::whole(const PeerId& id) const {
  return mode_ == PeerLabel::hashed ? pseudonym(key_, id) : id.to_string();
}

std::size_t PeerLabels::usual_size() const {
  switch (mode_) {
    case PeerLabel::full:
      return PeerId::kTextSize;
    case PeerLabel::short_:
      return PeerId::kShortSize;
    case PeerLabel::hashed:
      return kHashedSize;
    case PeerLabel::none:
      return 0;
  }
  return 0;
}

std::string PeerLabels::take(const PeerId& id) {
  if (mode_ == PeerLabel::none) return {};
  const std::string text = whole(id);
  for (std::size_t size = usual_size(); size <= text.size(); ++size) {
    auto [label, fresh] = taken_.insert(text.substr(0, size));
    if (fresh) return *label;
  }
  return text;  // this very peer has it
}

}  // namespace pw::observe
