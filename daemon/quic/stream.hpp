// One bidirectional stream (RFC 9000 section 3), as far as ngtcp2 leaves it to us: bytes on their way out, and how many
// that came in are still to be used up.
#pragma once

#include "quic/endpoint.hpp"
#include "quic/send_buffer.hpp"

namespace pw::quic {

struct Stream {
  StreamId id = -1;
  SendBuffer out;
  std::uint64_t unconsumed = 0;  // received, not yet given back to flow control
  bool fin_queued = false;
  bool fin_sent = false;
  bool write_closed = false;  // reset by us, or the peer asked to stop: nothing is sent any more
  bool aborted = false;       // the peer reset a direction; the other is shut after the callback
  bool owes_drained = false;  // write_stream was used, or refused, since the last StreamDrained
  bool was_full = false;      // write_stream failed for want of room
  bool blocked = false;       // by flow control, in this round of writing

  bool has_work() const { return !write_closed && !blocked && (out.unsent() > 0 || (fin_queued && !fin_sent)); }
};

}  // namespace pw::quic
