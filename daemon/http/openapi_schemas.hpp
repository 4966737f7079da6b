// The bodies of the API, described for people and programs (OpenAPI 3.1, JSON Schema 2020-12).
#pragma once

#include <string_view>

namespace pw::http {

/// A JSON object: name → schema. Every object lists all its members as required and allows no others, so that a test
/// which checks live answers against it sees a forgotten one.
std::string_view openapi_schemas();

}  // namespace pw::http
