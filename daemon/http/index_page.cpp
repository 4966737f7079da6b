#include "http/application.hpp"

namespace pw::http {

std::string index_page() {
  std::string page =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>peerwatch</title>\n"
      "<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
      "td{padding:.15rem .8rem .15rem 0;vertical-align:top}code{font-size:.95em}</style></head>\n"
      "<body><h1>peerwatch</h1>\n<table>\n";
  for (const RouteInfo& info : all_routes()) {
    const std::string path{info.path};
    const bool link = info.method == Method::get && path.find('{') == std::string::npos;
    page += std::string{"<tr><td>"} + (info.method == Method::get ? "GET" : "POST") + "</td><td><code>";
    page += link ? "<a href=\"" + path + "\">" + path + "</a>" : path;
    page += "</code></td><td>" + std::string{info.summary} + "</td></tr>\n";
  }
  return page + "</table></body></html>\n";
}

}  // namespace pw::http
