#include "config/load.hpp"

#include "config/document.hpp"
#include "config/keys.hpp"
#include "config/overlay.hpp"
#include "config/validate.hpp"

namespace pw::config {

Loaded load(const Sources& sources, const Files& files) {
  Loaded out;
  Problems problems;
  Overlay overlay{out.config, problems};
  for (const std::string& path : sources.files) {
    const auto file = files.read(path, kLargestFile);
    if (file)
      overlay.apply_file(parse_toml(path, file->bytes, problems));
    else
      problems.add({path}, file.error().detail);
  }
  overlay.apply_environment(sources.environment);
  overlay.apply_overrides(sources.overrides);
  read_secret_files(out.config, overlay, files, problems);
  check_consistency(out.config, overlay, problems);
  out.problems = problems.take(sources.files);
  return out;
}

Differences differences(const Config& before, const Config& after) {
  Differences out;
  for (const auto& key : config_keys()) {
    const bool contents = (key.name == "mesh.secret_files" && before.secrets != after.secrets) ||
                          (key.name == "http.metrics_token_file" && before.metrics_token != after.metrics_token) ||
                          (key.name == "http.admin_token_file" && before.admin_token != after.admin_token) ||
                          (key.name == "relay_server.tls_certificate" && before.tls_certificate != after.tls_certificate) ||
                          (key.name == "relay_server.tls_key" && before.tls_key != after.tls_key);
    if (contents || key.get(before) != key.get(after))
      (key.effect == Effect::reload ? out.reload : out.restart).push_back(key.name);
  }
  if (before.bootstraps != after.bootstraps) out.reload.emplace_back("bootstrap");
  if (before.relays != after.relays) out.reload.emplace_back("relay");
  if (before.peers != after.peers) out.reload.emplace_back("peer");
  return out;
}

}  // namespace pw::config
