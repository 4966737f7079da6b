// A certificate that signs itself, made for one test.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "base/check.hpp"

namespace pw::test {

struct SelfSigned {
  explicit SelfSigned(long days = 30) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair{EVP_EC_gen("P-256"), &EVP_PKEY_free};
    const std::unique_ptr<X509, decltype(&X509_free)> x509{X509_new(), &X509_free};
    PW_CHECK(pair && x509);
    X509_set_version(x509.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), days * 86400);
    X509_set_pubkey(x509.get(), pair.get());
    PW_CHECK(X509_sign(x509.get(), pair.get(), EVP_sha256()) > 0);
    certificate = text([&](BIO* out) { return PEM_write_bio_X509(out, x509.get()); });
    key = text([&](BIO* out) { return PEM_write_bio_PrivateKey(out, pair.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }
  std::string certificate;  // PEM, as the key
  std::string key;

 private:
  template <class Write>
  static std::string text(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out{BIO_new(BIO_s_mem()), &BIO_free};
    PW_CHECK(write(out.get()) == 1);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
  }
};

}  // namespace pw::test
