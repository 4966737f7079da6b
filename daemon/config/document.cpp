#include "config/document.hpp"

namespace pw::config {
namespace {

struct Describe {
  std::string operator()(const Raw::Other& v) const { return v.what; }
  std::string operator()(bool v) const { return v ? "the boolean true" : "the boolean false"; }
  std::string operator()(std::int64_t v) const { return "the integer " + std::to_string(v); }
  std::string operator()(double) const { return "a floating-point number"; }
  std::string operator()(const std::string& v) const { return quoted(v); }
  std::string operator()(const Raw::List&) const { return "a list"; }
  std::string operator()(const Raw::Table&) const { return "a table"; }
};

}  // namespace

std::string Raw::describe() const { return std::visit(Describe{}, value); }

}  // namespace pw::config
