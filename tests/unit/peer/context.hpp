// What a part of this room is given, with an endpoint that has no connections: what is written goes nowhere.
#pragma once

#include "peer/context.hpp"

namespace pw::peer {

struct ContextFixture {
  static constexpr quic::Handle kHandle{1};
  Instant now{};
  Options options;
  quic::Identity identity = *quic::Identity::from_seed({});
  quic::Endpoint endpoint{{}, identity, Rng{1}};
  Outbox out;
  Context context{.options = options,
                  .membership = {},
                  .self = identity.id(),
                  .instance = {},
                  .endpoint = endpoint,
                  .out = out,
                  .rng = Rng{2},
                  .starvation = {},
                  .bandwidth_quota = probe::BandwidthQuota{0},
                  .owners = {},
                  .lookups = {},
                  .tags = {}};
};

}  // namespace pw::peer
