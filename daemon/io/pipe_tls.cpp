#include "io/pipe_tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/ssl/context.hpp>
#include <ctime>

namespace pw::io {
namespace {

namespace ssl = boost::asio::ssl;

std::shared_ptr<ssl::context> make(ssl::context::method method) {
  auto context = std::make_shared<ssl::context>(method);
  context->set_options(ssl::context::default_workarounds | ssl::context::no_compression);
  SSL_CTX* native = context->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle pipe holds no 32 kB
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(native, 0);
  return context;
}

WallTime expiry_of(const SSL_CTX* context) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  std::tm at{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &at) != 1) return {};
  return WallTime{std::chrono::seconds{timegm(&at)}};
}

}  // namespace

PipeTls PipeTls::client() {
  auto context = make(ssl::context::tls_client);
  context->set_verify_mode(ssl::verify_none);
  return PipeTls{std::move(context)};
}

Result<PipeTls> PipeTls::server(const std::string& certificate, const std::string& key) {
  auto context = make(ssl::context::tls_server);
  boost::system::error_code error;
  context->use_certificate_chain(boost::asio::buffer(certificate), error);
  if (error) return fail("the certificate is no PEM that can be used: " + error.message());
  context->use_private_key(boost::asio::buffer(key), ssl::context::pem, error);
  if (error) {
    const bool mismatch = ERR_GET_REASON(static_cast<unsigned long>(error.value())) == X509_R_KEY_VALUES_MISMATCH;
    return fail(mismatch ? "the key is not that of the certificate"
                         : "the key is no PEM that can be used: " + error.message());
  }
  const WallTime expiry = expiry_of(context->native_handle());
  return PipeTls{std::move(context), expiry};
}

}  // namespace pw::io
