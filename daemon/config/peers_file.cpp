#include "config/peers_file.hpp"

#include "config/document.hpp"
#include "config/load.hpp"
#include "config/overlay.hpp"
#include "config/validate.hpp"

namespace pw::config {

PeersFile load_peers(const std::string& path, const Files& files) {
  PeersFile out;
  Problems problems;
  Config scratch;
  Overlay overlay{scratch, problems};
  if (const auto file = files.read(path, kLargestFile)) {
    Raw::Table document = parse_toml(path, file->bytes, problems);
    std::erase_if(document, [&](const Member& member) {
      if (member.name == "peer") return false;
      problems.add(member.place, quoted(member.name) + ": this file has [[peer]] blocks and nothing else");
      return true;
    });
    overlay.apply_file(document);
  } else {
    problems.add({path}, file.error().detail);
  }
  check_peers(scratch, overlay, problems);
  out.peers = std::move(scratch.peers);
  out.problems = problems.take({path});
  return out;
}

}  // namespace pw::config
