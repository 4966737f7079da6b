#include "exposition_reader.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "observe/utf8.hpp"

namespace pw::test {
namespace {

using observe::Exposition;

bool is_name(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  return text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == text.npos;
}

double number(const std::string& text) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  std::size_t used = 0;
  const double value = std::stod(text, &used);
  CHECK(used == text.size());
  CHECK(text.find_first_not_of("0123456789.e+-") == text.npos);
  return value;
}

/// From after '{' to after '}'.
LabelMap read_labels(std::string_view& rest) {
  LabelMap out;
  while (!rest.starts_with('}')) {
    const auto equals = rest.find("=\"");
    REQUIRE(equals != rest.npos);
    const std::string name{rest.substr(0, equals)};
    CHECK(is_name(name));
    rest.remove_prefix(equals + 2);
    std::string value;
    while (!rest.starts_with('"')) {
      if (rest.empty() || rest.front() == '\n') FAIL("a label's value has no end");
      const auto c = observe::decode(rest);
      if (c.size == 0) FAIL("not UTF-8");
      if (c.value == U'\\') {
        REQUIRE(rest.size() > 1);
        const char escaped = rest[1];
        REQUIRE((escaped == 'n' || escaped == '"' || escaped == '\\'));
        value += escaped == 'n' ? '\n' : escaped;
        rest.remove_prefix(2);
      } else {
        value += rest.substr(0, c.size);
        rest.remove_prefix(c.size);
      }
    }
    rest.remove_prefix(1);
    CHECK(out.emplace(name, value).second);
    if (rest.starts_with(',')) rest.remove_prefix(1);
  }
  rest.remove_prefix(1);
  return out;
}

Sample read_sample(std::string_view line) {
  Sample out;
  const auto end = line.find_first_of("{ ");
  REQUIRE(end != line.npos);
  out.name = line.substr(0, end);
  CHECK(is_name(out.name));
  line.remove_prefix(end);
  if (line.front() == '{') {
    line.remove_prefix(1);
    out.labels = read_labels(line);
  }
  REQUIRE(line.starts_with(' '));
  out.value = number(std::string{line.substr(1)});
  return out;
}

bool belongs(const Sample& sample, const std::string& family, const std::string& type) {
  if (type != "histogram") return sample.name == family;
  return sample.name == family + "_bucket" || sample.name == family + "_sum" || sample.name == family + "_count";
}

void check_histogram(const std::string& name, const ExposedFamily& family) {
  struct One {
    double last_bound = -std::numeric_limits<double>::infinity();
    double last_count = 0;
    std::optional<double> count, sum;
  };
  std::map<std::string, One> by_labels;
  for (const Sample& s : family.samples) {
    LabelMap labels = s.labels;
    labels.erase("le");
    One& one = by_labels[series_key(name, labels)];
    if (s.name.ends_with("_bucket")) {
      const std::string le = s.labels.at("le");
      CHECK((le == "+Inf" || le.find('.') != le.npos));
      CHECK(number(le) > one.last_bound);
      CHECK(s.value >= one.last_count);
      one.last_bound = number(le);
      one.last_count = s.value;
    } else {
      (s.name.ends_with("_sum") ? one.sum : one.count) = s.value;
    }
  }
  for (const auto& [labels, one] : by_labels) {
    INFO(labels);
    CHECK(std::isinf(one.last_bound));
    REQUIRE(one.count);
    CHECK(*one.count == one.last_count);
    CHECK(one.sum);
  }
}

}  // namespace

std::string series_key(const std::string& name, const LabelMap& labels) {
  std::string out = name + "{";
  for (const auto& [label, value] : labels) out += label + "=" + value + ",";
  return out + "}";
}

Exposed Exposed::read(const std::string& text, Exposition format) {
  Exposed out;
  std::set<std::string> seen;
  std::string name, help;
  ExposedFamily* family = nullptr;
  bool ended = false;
  REQUIRE(text.ends_with('\n'));
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    const std::string_view line = std::string_view{text}.substr(at, end - at);
    at = end + 1;
    INFO(std::string{line});
    REQUIRE(!ended);
    REQUIRE(!line.empty());
    if (line == "# EOF") {
      ended = true;
    } else if (line.starts_with("# HELP ")) {
      const auto space = line.find(' ', 7);
      REQUIRE(space != line.npos);
      name = line.substr(7, space - 7);
      help = line.substr(space + 1);
      CHECK(!help.empty());
    } else if (line.starts_with("# TYPE ")) {
      REQUIRE(line.substr(7, name.size() + 1) == name + " ");
      const std::string type{line.substr(8 + name.size())};
      REQUIRE((type == "counter" || type == "gauge" || type == "histogram"));
      if (type == "counter" && format == Exposition::openmetrics) name += "_total";
      const auto [made, fresh] = out.families.try_emplace(name, ExposedFamily{type, help, {}});
      REQUIRE(fresh);
      family = &made->second;
    } else {
      REQUIRE(line.front() != '#');
      REQUIRE(family != nullptr);
      Sample sample = read_sample(line);
      REQUIRE(belongs(sample, name, family->type));
      REQUIRE(seen.insert(series_key(sample.name, sample.labels)).second);
      if (family->type == "counter") REQUIRE(sample.name.ends_with("_total"));
      if (family->type != "gauge" && !sample.name.ends_with("_sum")) REQUIRE(sample.value >= 0);
      family->samples.push_back(std::move(sample));
    }
  }
  CHECK(ended == (format == Exposition::openmetrics));
  for (const auto& [each, samples] : out.families) {
    INFO(each);
    CHECK(!samples.samples.empty());
    if (samples.type == "histogram") check_histogram(each, samples);
  }
  return out;
}

bool Exposed::has(const std::string& sample, const LabelMap& labels) const {
  return flat().contains(series_key(sample, labels));
}

double Exposed::value(const std::string& sample, const LabelMap& labels) const {
  const auto all = flat();
  const auto found = all.find(series_key(sample, labels));
  INFO(series_key(sample, labels));
  REQUIRE(found != all.end());
  return found->second;
}

std::size_t Exposed::series() const {
  std::size_t n = 0;
  for (const auto& [name, family] : families) n += family.samples.size();
  return n;
}

std::map<std::string, double> Exposed::flat() const {
  std::map<std::string, double> out;
  for (const auto& [name, family] : families)
    for (const Sample& s : family.samples) out[series_key(s.name, s.labels)] = s.value;
  return out;
}

}  // namespace pw::test
