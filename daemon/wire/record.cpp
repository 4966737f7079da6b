#include "wire/record.hpp"

#include <algorithm>
#include <functional>

namespace pw::wire {
namespace {

constexpr std::uint8_t kVersion = 1;

void write_body(ByteWriter& w, const PeerRecord& record) {
  w.u8(kVersion);
  w.bytes(record.id.key());
  w.u64(record.sequence);
  w.u32(record.lifetime_s);
  w.u8(static_cast<std::uint8_t>(record.relays.size()));
  for (const PeerId& relay : record.relays) w.bytes(relay.key());
}

PeerId read_id(ByteReader& r) {
  std::array<std::uint8_t, PeerId::kSize> key{};
  std::ranges::copy(r.bytes(key.size()), key.begin());
  return PeerId{key};
}

}  // namespace

Buffer signed_part(const PeerRecord& record) {
  Buffer out;
  ByteWriter w{out};
  w.bytes(as_bytes(kRecordLabel));
  write_body(w, record);
  return out;
}

Buffer encode(const PeerRecord& record) {
  Buffer out;
  ByteWriter w{out};
  write_body(w, record);
  w.bytes(record.signature);
  return out;
}

Result<PeerRecord> decode_record(ByteView bytes) {
  ByteReader r{bytes};
  if (r.u8() != kVersion) return fail("a record of an unknown version");
  PeerRecord record;
  record.id = read_id(r);
  record.sequence = r.u64();
  record.lifetime_s = r.u32();
  const std::size_t count = r.u8();
  if (count > kMaxHomeRelays) return fail("a record names at most 4 relays");
  for (std::size_t i = 0; i < count; ++i) record.relays.push_back(read_id(r));
  std::ranges::copy(r.bytes(record.signature.size()), record.signature.begin());
  if (!r.ok() || r.remaining() > 0) return fail("a record of a wrong length");
  if (std::ranges::adjacent_find(record.relays, std::greater_equal{}) != record.relays.end())
    return fail("the relays of a record ascend");
  if (record.lifetime_s == 0 || record.lifetime_s > kMaxRecordLifetime) return fail("a record lives 1 s to 24 h");
  if (!verify_signature(record.id, signed_part(record), record.signature)) return fail("the signature is not its peer's");
  return record;
}

RecordVerdict judge(const PeerRecord& record, const PeerId& expected, std::uint64_t age_s, std::uint64_t newest) {
  if (record.id != expected) return RecordVerdict::wrong_id;
  if (age_s >= record.lifetime_s) return RecordVerdict::expired;
  if (record.sequence < newest) return RecordVerdict::older;
  return RecordVerdict::good;
}

}  // namespace pw::wire
