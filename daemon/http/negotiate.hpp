// What the client would like: Accept and Accept-Encoding (RFC 9110 sections 12.5.1 and 12.5.3).
#pragma once

#include <string_view>

namespace pw::http {

/// OpenMetrics is preferred to plain text by its q-value; a wildcard or a tie means plain text.
bool wants_openmetrics(std::string_view accept);
/// gzip with a q-value above 0, by name or by "*".
bool accepts_gzip(std::string_view accept_encoding);
/// application/json, with or without parameters.
bool is_json(std::string_view content_type);

}  // namespace pw::http
