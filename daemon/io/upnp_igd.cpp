// What miniupnpc does for Upnp.
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>

#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <string_view>

#include "io/upnp.hpp"

namespace pw::io {
namespace {

constexpr int kSearchMs = 1000;       // for each of the two kinds below; the library waits so long for more answers
constexpr unsigned char kHops = 2;    // UPnP Device Architecture section 1.3.2
constexpr int kUnsupportedAction = 401;
constexpr int kOnlyPermanentLeases = 725;
constexpr std::string_view kNamed = "urn:schemas-upnp-org:service:WAN";

struct Igd {
  UPNPUrls urls{};
  IGDdatas data{};
  std::string description;

  Igd() = default;
  ~Igd() { FreeUPNPUrls(&urls); }
  Igd(const Igd&) = delete;
  Igd& operator=(const Igd&) = delete;

  const char* service() const { return static_cast<const char*>(data.first.servicetype); }
};

/// Whether that is http://HOST with the gateway's address. Others may answer a search as well, and send us anywhere.
bool is_at(std::string_view url, const IpAddress& gateway) {
  constexpr std::string_view kHttp = "http://";
  if (!url.starts_with(kHttp)) return false;
  url.remove_prefix(kHttp.size());
  return url.substr(0, url.find_first_of(":/")) == gateway.to_string();
}

std::unique_ptr<Igd> read_description(const std::string& url, const IpAddress& gateway) {
  auto igd = std::make_unique<Igd>();
  std::array<char, 64> own{};
  if (UPNP_GetIGDFromUrl(url.c_str(), &igd->urls, &igd->data, own.data(), static_cast<int>(own.size())) != 1) return nullptr;
  const bool usable = igd->urls.controlURL != nullptr && is_at(igd->urls.controlURL, gateway) &&
                      std::string_view{igd->service()}.starts_with(kNamed);
  if (!usable) return nullptr;
  igd->description = url;
  return igd;
}

std::unique_ptr<Igd> find(const UpnpWish& wish, const std::string& description) {
  if (is_at(description, wish.gateway))
    if (auto igd = read_description(description, wish.gateway)) return igd;
  static constexpr std::array<const char*, 3> kKinds{"urn:schemas-upnp-org:device:InternetGatewayDevice:2",
                                                     "urn:schemas-upnp-org:device:InternetGatewayDevice:1", nullptr};
  int error = 0;
  const std::unique_ptr<UPNPDev, decltype(&freeUPNPDevlist)> found{
      upnpDiscoverDevices(kKinds.data(), kSearchMs, wish.own.ip.to_string().c_str(), nullptr, UPNP_LOCAL_PORT_ANY, 0, kHops,
                          &error, 0),
      &freeUPNPDevlist};
  for (const UPNPDev* device = found.get(); device != nullptr; device = device->pNext)
    if (is_at(device->descURL, wish.gateway))
      if (auto igd = read_description(device->descURL, wish.gateway)) return igd;
  return nullptr;
}

/// The library's own errors are negative: the gateway could not be asked, or gave no sense.
int code_of(int result) { return result < 0 ? UpnpAnswer::kFailed : result; }

/// AddAnyPortMapping gives another outer port where the wanted one is taken; only version 2 of the service has it.
int add(const Igd& igd, const UpnpWish& wish, const std::string& lease, std::uint16_t& outer_port) {
  const std::string outer = std::to_string(wish.outer_port);
  const std::string inner = std::to_string(wish.own.port);
  const std::string host = wish.own.ip.to_string();
  outer_port = wish.outer_port;
  if (std::string_view{igd.service()}.ends_with(":2")) {
    std::array<char, 8> reserved{};
    const int result = UPNP_AddAnyPortMapping(igd.urls.controlURL, igd.service(), outer.c_str(), inner.c_str(), host.c_str(),
                                              "peerwatch", "UDP", nullptr, lease.c_str(), reserved.data());
    if (result == UPNPCOMMAND_SUCCESS) {
      const std::string_view text{reserved.data()};
      const auto [end, error] = std::from_chars(text.begin(), text.end(), outer_port);
      return error == std::errc{} && end == text.end() ? result : UPNPCOMMAND_INVALID_RESPONSE;
    }
    if (result != kUnsupportedAction) return result;
  }
  return UPNP_AddPortMapping(igd.urls.controlURL, igd.service(), outer.c_str(), inner.c_str(), host.c_str(), "peerwatch", "UDP",
                             nullptr, lease.c_str());
}

}  // namespace

UpnpAnswer upnp_map(const UpnpWish& wish, std::string& description) {
  const auto igd = find(wish, description);
  description = igd ? igd->description : "";
  if (!igd) return {.code = UpnpAnswer::kNoGateway};

  UpnpAnswer answer{.lifetime = wish.lifetime};
  std::array<char, 64> text{};
  answer.code = code_of(UPNP_GetExternalIPAddress(igd->urls.controlURL, igd->service(), text.data()));
  if (answer.code != 0) return answer;
  const auto external = IpAddress::parse(text.data());
  if (!external) return {.code = UpnpAnswer::kFailed};
  answer.external.ip = *external;

  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wish.lifetime).count();
  int result = add(*igd, wish, std::to_string(seconds), answer.external.port);
  if (result == kOnlyPermanentLeases) {
    result = add(*igd, wish, "0", answer.external.port);
    answer.lifetime = {};
  }
  answer.code = code_of(result);
  return answer;
}

void upnp_unmap(const UpnpWish& wish, std::string& description) {
  const auto igd = find(wish, description);
  if (!igd) return;
  const std::string outer = std::to_string(wish.outer_port);
  UPNP_DeletePortMapping(igd->urls.controlURL, igd->service(), outer.c_str(), "UDP", nullptr);
}

}  // namespace pw::io
