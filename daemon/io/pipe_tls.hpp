// PipeTls: what TLS is made with around a pipe. It hides the pipe among the web's traffic and proves nothing: who is at the
// other end is proved inside, by QUIC. So a client takes any certificate (docs/adr/0011).
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"

namespace boost::asio::ssl {
class context;
}

namespace pw::io {

class PipeTls {
 public:
  static PipeTls client();
  /// Both as PEM; the certificate first, then its chain. The error says which of the two is wrong, and how.
  static Result<PipeTls> server(const std::string& certificate, const std::string& key);

  boost::asio::ssl::context& context() const { return *context_; }
  /// When a server's certificate ends.
  WallTime expiry() const { return expiry_; }

 private:
  explicit PipeTls(std::shared_ptr<boost::asio::ssl::context> context, WallTime expiry = {})
      : context_{std::move(context)}, expiry_{expiry} {}

  std::shared_ptr<boost::asio::ssl::context> context_;
  WallTime expiry_;
};

}  // namespace pw::io
