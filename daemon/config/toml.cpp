// The only file that sees toml++. It is compiled in here, not linked, so that it obeys our limit of nesting and our
// assertions, and is seen by the sanitizers and the fuzzer.
#include <stdexcept>

namespace {
/// toml++ asserts on some bytes that are no TOML, and assumes in builds without assertions that they never come. The
/// scan beforehand stops those that are known; one that is not must not end the daemon either.
struct ParserAssertion : std::logic_error {
  using std::logic_error::logic_error;
};
constexpr void parser_assert(bool holds, const char* expression) {
  if (!holds) throw ParserAssertion{expression};
}
}  // namespace

#undef NDEBUG
#define TOML_ASSERT(expression) parser_assert(static_cast<bool>(expression), #expression)
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 1  // without them most of the parser is noexcept, and no assertion could leave it
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 8  // ours need three
#include <toml++/toml.h>

#include <algorithm>
#include <tuple>

#include "config/document.hpp"
#include "config/toml_scan.hpp"

namespace pw::config {
namespace {

/// The most frequent slip, `level = info`, gets a message about numbers: the line itself says what is missing.
std::string_view syntax_hint(std::string_view text, unsigned line) {
  for (; line > 1 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  text = text.substr(0, text.find('\n'));
  const auto equals = text.find('=');
  const auto value = equals == std::string_view::npos ? equals : text.find_first_not_of(" \t", equals + 1);
  if (value == std::string_view::npos) return {};
  const char c = text[value];
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/';
  return letter ? "text is written in quotation marks" : "";
}

class Converter {
 public:
  Converter(const std::string& file, int deepest) : file_{file}, deepest_{deepest} {}

  Raw::Table table(const toml::table& in, int depth) const {
    Raw::Table out;
    out.reserve(in.size());
    for (const auto& [key, node] : in)
      out.push_back(Member{std::string{key.str()}, place(key.source()), raw(node, depth + 1)});
    std::ranges::sort(out, {}, [](const Member& m) { return std::tuple{m.place.line, m.place.column}; });
    return out;
  }

 private:
  Place place(const toml::source_region& at) const { return {file_, at.begin.line, at.begin.column}; }

  Raw raw(const toml::node& node, int depth) const {
    Raw out{place(node.source()), Raw::Other{"something else"}};
    if (const auto* text = node.as_string()) {
      out.value = text->get();
    } else if (const auto* integer = node.as_integer()) {
      out.value = integer->get();
    } else if (const auto* number = node.as_floating_point()) {
      out.value = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      out.value = boolean->get();
    } else if (node.is_date() || node.is_time() || node.is_date_time()) {
      out.value = Raw::Other{"a date or time"};
    } else if (depth >= deepest_) {
      out.value = Raw::Other{"something nested"};
    } else if (const auto* list = node.as_array()) {
      Raw::List elements;
      elements.reserve(list->size());
      for (const auto& element : *list) elements.push_back(raw(element, depth + 1));
      out.value = std::move(elements);
    } else if (const auto* nested = node.as_table()) {
      out.value = table(*nested, depth);
    }
    return out;
  }

  const std::string& file_;
  int deepest_;
};

}  // namespace

Raw::Table parse_toml(const std::string& file, std::string_view text, Problems& problems, int deepest) {
  if (!is_safe_toml(file, text, problems)) return {};
  try {
    return Converter{file, deepest}.table(toml::parse(text, std::string_view{file}), 0);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    problems.add({file, at.line, at.column}, "this is not TOML: " + std::string{error.description()},
                 syntax_hint(text, at.line));
  } catch (const std::exception&) {  // an assertion, or no memory
    problems.add({file}, "this is not TOML");
  }
  return {};
}

}  // namespace pw::config
