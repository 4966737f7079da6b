#include "http/reply_head.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace pw::http {

std::string http_date(WallTime now) {
  // Not strftime: its names follow the locale.
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return text.data();
}

std::string head_of(const Reply& reply, bool keep_alive, WallTime now) {
  std::string head =
      "HTTP/1.1 " + std::to_string(reply.status) + " " + std::string{status_title(reply.status)} + "\r\n";
  const auto field = [&](std::string_view key, std::string_view value) {
    head.append(key).append(": ").append(value).append("\r\n");
  };
  field("Date", http_date(now));
  field("Content-Type", reply.content_type);
  if (!reply.is_stream) field("Content-Length", std::to_string(reply.body.size()));
  field("Connection", keep_alive ? "keep-alive" : "close");
  field("Cache-Control", "no-store");
  field("X-Content-Type-Options", "nosniff");
  for (const auto& [key, value] : reply.headers) field(key, value);
  return head + "\r\n";
}

}  // namespace pw::http
