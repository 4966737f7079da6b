#include "quic/ending.hpp"

#include <gnutls/gnutls.h>

#include <algorithm>

namespace pw::quic {
namespace {

using event::ErrorType;

std::string alert_name(std::uint64_t alert) {
  const char* name = gnutls_alert_get_name(static_cast<gnutls_alert_description_t>(alert));
  return name != nullptr ? name : "TLS alert " + std::to_string(alert);
}

std::string transport_name(std::uint64_t code) {
  switch (code) {  // RFC 9000 section 20.1
    case NGTCP2_NO_ERROR:
      return "closed without an error";
    case NGTCP2_INTERNAL_ERROR:
      return "internal error";
    case NGTCP2_CONNECTION_REFUSED:
      return "connection refused";
    case NGTCP2_FLOW_CONTROL_ERROR:
      return "flow control error";
    case NGTCP2_STREAM_LIMIT_ERROR:
      return "stream limit error";
    case NGTCP2_STREAM_STATE_ERROR:
      return "stream state error";
    case NGTCP2_FINAL_SIZE_ERROR:
      return "final size error";
    case NGTCP2_FRAME_ENCODING_ERROR:
      return "frame encoding error";
    case NGTCP2_TRANSPORT_PARAMETER_ERROR:
      return "transport parameter error";
    case NGTCP2_CONNECTION_ID_LIMIT_ERROR:
      return "connection ID limit error";
    case NGTCP2_PROTOCOL_VIOLATION:
      return "protocol violation";
    case NGTCP2_INVALID_TOKEN:
      return "invalid token";
    case NGTCP2_APPLICATION_ERROR:
      return "given up during the handshake";
    case NGTCP2_CRYPTO_BUFFER_EXCEEDED:
      return "crypto buffer exceeded";
    case NGTCP2_KEY_UPDATE_ERROR:
      return "key update error";
    case NGTCP2_AEAD_LIMIT_REACHED:
      return "AEAD limit reached";
    case NGTCP2_NO_VIABLE_PATH:
      return "no viable path";
    default:
      return "transport error " + std::to_string(code);
  }
}

ErrorType type_of(std::uint64_t code) {
  switch (code) {
    case NGTCP2_NO_ERROR:
    case NGTCP2_INTERNAL_ERROR:
      return ErrorType::unknown;
    case NGTCP2_CONNECTION_REFUSED:
    case NGTCP2_APPLICATION_ERROR:  // an application's close, sent before the handshake was complete
    case NGTCP2_INVALID_TOKEN:
      return ErrorType::refused;
    case NGTCP2_NO_VIABLE_PATH:
      return ErrorType::path_validation;
    default:
      return ErrorType::protocol;
  }
}

bool is_alert(std::uint64_t code) { return (code & ~std::uint64_t{0xff}) == NGTCP2_CRYPTO_ERROR; }

void add_reason(std::string& detail, ByteView reason) {
  if (!reason.empty()) detail += ": " + printable(reason);
}

}  // namespace

std::string printable(ByteView text) {
  std::string out{as_text(text.first(std::min(text.size(), kMaxReason)))};
  std::ranges::replace_if(
      out, [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

Verdict verdict_of_peer(const ngtcp2_ccerr& said) {
  Verdict v;
  const ByteView reason{said.reason, said.reasonlen};
  if (said.type == NGTCP2_CCERR_TYPE_APPLICATION) {
    v.application_code = said.error_code;
    v.detail = reason.empty() ? "closed by the peer" : printable(reason);
    return v;
  }
  if (is_alert(said.error_code)) {
    v.error = ErrorType::tls;
    v.detail = "the peer refused the handshake: " + alert_name(said.error_code & 0xff);
  } else {
    v.error = type_of(said.error_code);
    v.detail = "the peer said: " + transport_name(said.error_code);
  }
  add_reason(v.detail, reason);
  return v;
}

Verdict verdict_of_library(int error, std::uint8_t alert) {
  switch (error) {
    case NGTCP2_ERR_CRYPTO:
      return {ErrorType::tls, {}, "handshake failed: " + alert_name(alert)};
    case NGTCP2_ERR_IDLE_CLOSE:
      return {ErrorType::timeout, {}, "nothing was heard until the idle timeout"};
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
      return {ErrorType::timeout, {}, "no handshake in time"};
    case NGTCP2_ERR_DROP_CONN:
      return {ErrorType::protocol, {}, "the handshake made no sense"};
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
    case NGTCP2_ERR_VERSION_NEGOTIATION_FAILURE:
      return {ErrorType::protocol, {}, "the other side speaks no version of QUIC that is spoken here"};
    case NGTCP2_ERR_NO_VIABLE_PATH:
      return {ErrorType::path_validation, {}, "no viable path"};
    case NGTCP2_ERR_NOMEM:
      return {ErrorType::resource_exhausted, {}, "out of memory"};
    case NGTCP2_ERR_INTERNAL:
    case NGTCP2_ERR_CALLBACK_FAILURE:
      return {ErrorType::unknown, {}, "internal error"};
    default: {
      const std::uint64_t code = ngtcp2_err_infer_quic_transport_error_code(error);
      return {ErrorType::protocol, {}, "the peer broke the protocol: " + transport_name(code)};
    }
  }
}

}  // namespace pw::quic
