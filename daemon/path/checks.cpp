#include "path/checks.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/check.hpp"

namespace pw::path {

namespace {
constexpr std::size_t kNumberSize = 4;
}

std::uint32_t number_of(const wire::stun::TransactionId& id) { return ByteReader{id}.u32(); }
std::string tag_of(const wire::stun::TransactionId& id) { return to_hex(ByteView{id}.subspan(kNumberSize)); }

Checks::Checks(const std::string& own_tag) : tag_{from_hex(own_tag).value_or(Buffer{})} {
  PW_CHECK(kNumberSize + tag_.size() == wire::stun::TransactionId{}.size());
}

const Check& Checks::begin(Instant now, Check check) {
  forget_old(now);
  Buffer id;
  ByteWriter writer{id};
  writer.u32(next_++);
  writer.bytes(tag_);
  std::ranges::copy(id, check.id.begin());
  check.at = now;
  check.done = false;
  return checks_.emplace_back(std::move(check));
}

Check* Checks::find(const wire::stun::TransactionId& id) {
  const std::uint32_t behind = next_ - number_of(id);  // 1: the newest
  if (behind == 0 || behind > checks_.size()) return nullptr;
  Check& check = checks_[checks_.size() - behind];
  return check.id == id && !check.done ? &check : nullptr;
}

void Checks::abandon(const PathAddress& to) {
  for (Check& check : checks_)
    if (check.to == to) check.done = true;
}

void Checks::abandon(Via by) {
  for (Check& check : checks_)
    if (check.to.via == by) check.done = true;
}

void Checks::forget_old(Instant now) {
  const auto over = [&](const Check& c) { return c.done || now - c.at >= kLifetime; };
  while (!checks_.empty() && (checks_.size() >= kMax || over(checks_.front()))) checks_.pop_front();
}

}  // namespace pw::path
