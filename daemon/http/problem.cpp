#include <nlohmann/json.hpp>

#include "http/message.hpp"

namespace pw::http {

std::string_view status_title(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

Reply problem(unsigned status, std::string_view detail) { return problem(status, detail, {}); }

Reply problem(unsigned status, std::string_view detail, std::string_view code) {
  nlohmann::ordered_json json{
      {"type", "about:blank"}, {"title", status_title(status)}, {"status", status}, {"detail", detail}};
  if (!code.empty()) json["code"] = code;
  Reply reply;
  reply.status = status;
  reply.content_type = "application/problem+json";
  reply.body = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (status == 429) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

}  // namespace pw::http
