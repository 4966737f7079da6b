#include "sim/scenario/fields.hpp"

#include <algorithm>
#include <cstdio>

#include "base/nearest.hpp"

namespace pw::sim::scenario {

using config::Codec;
using config::Problems;
using config::Raw;

namespace {

constexpr std::size_t kLongestText = 400;
constexpr std::size_t kLongestName = 63;
// No machine, router or range of ours has more of them.
constexpr std::size_t kLongestList = 64;

/// A codec from a function that gives a value or says what was expected.
template <class T, class Read>
Codec<T> codec(const char* type, Read read) {
  Codec<T> out;
  out.type = type;
  out.read = [read](const Raw& raw, const std::string& key, Problems& problems) -> std::optional<T> {
    Result<T> value = read(raw);
    if (value) return std::move(*value);
    problems.add(raw.place, key + ": " + value.error().detail);
    return std::nullopt;
  };
  return out;
}

tl::unexpected<Error> expected(const std::string& what, const Raw& raw) {
  return fail("expected " + what + ", found " + raw.describe());
}

template <class T, class Parse>
Codec<std::vector<T>> list(const char* what, Parse parse) {
  return codec<std::vector<T>>(what, [what, parse](const Raw& raw) -> Result<std::vector<T>> {
    const auto* elements = std::get_if<Raw::List>(&raw.value);
    if (elements == nullptr) return expected(std::string{"a list of "} + what, raw);
    if (elements->size() > kLongestList) return fail("has more than " + std::to_string(kLongestList) + " elements");
    std::vector<T> out;
    for (const Raw& element : *elements) {
      Result<T> one = parse(element);
      if (!one) return tl::unexpected(one.error());
      if (std::ranges::find(out, *one) != out.end()) return fail("something is there twice");
      out.push_back(std::move(*one));
    }
    return out;
  });
}

std::string shortest(double value) {
  char out[32];
  std::snprintf(out, sizeof out, "%g", value);
  return out;
}

Result<std::string> parse_name(const Raw& raw) {
  const auto* name = std::get_if<std::string>(&raw.value);
  if (name == nullptr) return expected("a name in quotation marks", raw);
  const bool good = !name->empty() && name->size() <= kLongestName && std::ranges::all_of(*name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
  if (!good) return fail("a name has 1 to 63 letters, digits, '.', '_' or '-', found " + config::quoted(*name));
  return *name;
}

}  // namespace

Fields::Fields(const Raw& raw, std::string where, Problems& problems)
    : table_{std::get_if<Raw::Table>(&raw.value)}, where_{std::move(where)}, place_{raw.place}, problems_{problems} {
  if (table_ == nullptr) problem("expected a table, found " + raw.describe());
}

Fields::Fields(const Raw::Table& table, std::string where, Problems& problems, const std::string& file)
    : table_{&table}, where_{std::move(where)}, place_{file, 0, 0}, problems_{problems} {}

bool Fields::has(const char* key) const {
  return table_ != nullptr && std::ranges::find(*table_, key, &config::Member::name) != table_->end();
}

const Raw* Fields::raw(const char* key) {
  known_.emplace_back(key);
  if (table_ == nullptr) return nullptr;
  const auto found = std::ranges::find(*table_, key, &config::Member::name);
  return found == table_->end() ? nullptr : &found->value;
}

const Raw* Fields::needed(const char* key) {
  const Raw* value = raw(key);
  if (value == nullptr && table_ != nullptr) problem(std::string{"has no "} + key);
  return value;
}

std::vector<const Raw*> Fields::tables(const char* key, bool single) {
  const Raw* value = raw(key);
  std::vector<const Raw*> out;
  if (value == nullptr) return out;
  if (const auto* elements = std::get_if<Raw::List>(&value->value)) {
    for (const Raw& element : *elements) out.push_back(&element);
  } else if (single) {
    out.push_back(value);  // what is no table either is told by whoever reads it
  } else {
    problems_.add(value->place, path(key) + ": expected tables like [[" + key + "]], found " + value->describe());
  }
  return out;
}

void Fields::finish() {
  if (table_ == nullptr) return;
  for (const config::Member& member : *table_) {
    if (std::ranges::find(known_, member.name) != known_.end()) continue;
    const auto meant = nearest(member.name, known_);
    problems_.add(member.place, where_ + ": unknown key " + config::quoted(member.name),
                  meant ? "did you mean " + config::quoted(*meant) + "?" : "");
  }
}

Codec<double> number(double least, double most) {
  return codec<double>("number", [least, most](const Raw& raw) -> Result<double> {
    double value = 0;
    if (const auto* integer = std::get_if<std::int64_t>(&raw.value))
      value = static_cast<double>(*integer);
    else if (const auto* real = std::get_if<double>(&raw.value))
      value = *real;
    else
      return expected("a number", raw);
    if (!(value >= least && value <= most))
      return fail("must be from " + shortest(least) + " to " + shortest(most) + ", not " + shortest(value));
    return value;
  });
}

Codec<int> whole(int least, int most) {
  return codec<int>("integer", [least, most](const Raw& raw) -> Result<int> {
    const auto* value = std::get_if<std::int64_t>(&raw.value);
    if (value == nullptr) return expected("a whole number", raw);
    if (*value < least || *value > most)
      return fail("must be from " + std::to_string(least) + " to " + std::to_string(most) + ", not " +
                  std::to_string(*value));
    return static_cast<int>(*value);
  });
}

Codec<std::string> text() {
  return codec<std::string>("text", [](const Raw& raw) -> Result<std::string> {
    const auto* value = std::get_if<std::string>(&raw.value);
    if (value == nullptr) return expected("a text in quotation marks", raw);
    if (value->empty() || value->size() > kLongestText || !config::is_clean_text(*value))
      return fail("expected one to 400 characters without control characters");
    return *value;
  });
}

Codec<std::string> a_name() { return codec<std::string>("name", parse_name); }

Codec<std::vector<std::string>> name_list() { return list<std::string>("names", parse_name); }

Codec<std::vector<IpAddress>> address_list() {
  return list<IpAddress>("addresses", [](const Raw& raw) -> Result<IpAddress> {
    const auto* value = std::get_if<std::string>(&raw.value);
    if (value == nullptr) return expected("an address in quotation marks", raw);
    auto address = IpAddress::parse(*value);
    if (!address || address->is_unspecified() || address->is_multicast())
      return fail("expected an address of a machine, found " + config::quoted(*value));
    return *address;
  });
}

Codec<std::vector<net::Prefix>> prefix_list() {
  return codec<std::vector<net::Prefix>>("prefixes", [](const Raw& raw) -> Result<std::vector<net::Prefix>> {
    const auto* elements = std::get_if<Raw::List>(&raw.value);
    if (elements == nullptr) return expected("a list of prefixes", raw);
    std::vector<net::Prefix> out;
    for (const Raw& element : *elements) {
      const auto* value = std::get_if<std::string>(&element.value);
      if (value == nullptr) return expected("a prefix in quotation marks", element);
      const auto prefix = net::Prefix::parse(*value);
      if (!prefix) return fail("expected a prefix like \"2001:db8::/32\", found " + config::quoted(*value));
      out.push_back(*prefix);
    }
    return out;
  });
}

Codec<std::vector<std::uint16_t>> port_list() {
  return list<std::uint16_t>("ports", [](const Raw& raw) -> Result<std::uint16_t> {
    const auto* value = std::get_if<std::int64_t>(&raw.value);
    if (value == nullptr || *value < 1 || *value > 65535) return expected("a port from 1 to 65535", raw);
    return static_cast<std::uint16_t>(*value);
  });
}

}  // namespace pw::sim::scenario
