#include "event/event.hpp"

namespace pw::event {

std::optional<PeerId> peer_of(const Event& e) {
  return std::visit(
      [](const auto& what) -> std::optional<PeerId> {
        if constexpr (requires { what.peer; })
          return what.peer;
        else
          return std::nullopt;
      },
      e);
}

}  // namespace pw::event
