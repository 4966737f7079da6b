"""Bugs that the swarm has to find: each is a line of the core, broken as a tired programmer would break it.

The text on the left stands exactly once in its file, which a lint holds, so that the list can't rot while the code moves
on. plant.py breaks one at a time and tells how many seeds it took until a rule complained.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    name: str   # what is wrong then
    file: str   # below daemon/
    right: str
    wrong: str


BUGS = [
    # ---- dialling
    Bug("a failed dial is repeated without back-off", "peer/redial.cpp",
        "std::max(now + backoff_.next(context_.rng), breaker_.until());",
        "std::max(now + 10ms, breaker_.until());"),
    Bug("after a dial that came to nothing nobody tries again", "peer/session_links.cpp",
        "  if (!redial_.at()) schedule(now);\n",
        ""),
    Bug("after an end by silence nobody dials", "peer/session.cpp",
        "  end_session(now, CloseReason::timeout, why, SessionState::failed);\n  schedule(now);\n",
        "  end_session(now, CloseReason::timeout, why, SessionState::failed);\n"),
    Bug("a name without an address leaves its dial waiting", "peer/dial.cpp",
        "  lookups_.erase(lookup);\n",
        "  if (addresses) lookups_.erase(lookup);\n"),
    Bug("only a peer's first address is dialled", "peer/dial.cpp",
        "if (std::ranges::find(candidates_, path) == candidates_.end()) candidates_.push_back(path);",
        "if (candidates_.empty()) candidates_.push_back(path);"),
    Bug("a cancelled dial's connection stays open", "peer/session.cpp",
        '    if (auto link = take(handle))\n      close(now, *link, CloseCode::duplicate, "cancelled");\n    else\n',
        '    if (!take(handle))\n'),
    # ---- two ends, two connections
    Bug("both sides of a tie hold the other's connection", "peer/session_links.cpp",
        "const bool tie = (dial_ && context_.self < spec_.id) ||",
        "const bool tie = dial_.has_value() ||"),
    Bug("a restarted peer is taken for a duplicate connection", "peer/session_links.cpp",
        "if (active_ && known && loses_tie(now, link.dialled())) {",
        "if (active_ && !link.dialled()) {"),
    Bug("a peer's restart is not noticed", "peer/session_links.cpp",
        "restarted = instance_ && *instance_ != hello.instance;",
        "restarted = false;"),
    # ---- who may come in
    Bug("the deny list is not read", "peer/admission.cpp",
        "if (std::ranges::find(membership.deny, peer) != membership.deny.end()) return AdmissionRefusal::denied;",
        ""),
    Bug("a removed peer keeps its session", "peer/session.cpp",
        "  removed_ = true;\n  leave(now, wire::GoodbyeReason::removed);\n",
        "  removed_ = true;\n"),
    Bug("only the current secret is accepted", "peer/admission.cpp",
        "for (std::size_t i = 0; i < membership.secrets.size(); ++i)",
        "for (std::size_t i = 0; i < std::min<std::size_t>(membership.secrets.size(), 1); ++i)"),
    # ---- life and death of a path
    Bug("a path is dead after two silent probes", "probe/liveness.hpp",
        "static constexpr unsigned kDeadAfter = 8;",
        "static constexpr unsigned kDeadAfter = 2;"),
    Bug("a path is never dead", "probe/liveness.cpp",
        "if (++unanswered_ >= kDeadAfter) {",
        "if (unanswered_ >= kDeadAfter) {"),
    Bug("a session without a live path lasts for ever", "peer/session.cpp",
        "if (!dead || now - *dead < context_.options.dead_session) return;",
        "if (!dead || now - *dead < 1h) return;"),
    Bug("a dead path stays dead although it answers", "probe/liveness.cpp",
        "  health_ = PathHealth::proved;\n  if (revived)",
        "  if (health_ != PathHealth::dead) health_ = PathHealth::proved;\n  if (revived)"),
    Bug("own lateness is blamed on the path", "probe/liveness.cpp",
        "if (judge_at_ != kNever) judge_at_ = now + wait_;",
        "static_cast<void>(now);"),
    # ---- measurements
    Bug("the peer's holding time stays in the RTT", "probe/sent_probes.cpp",
        "outcome.rtt = round - held;",
        "outcome.rtt = round;"),
    Bug("a probe that was overtaken counts as lost", "probe/sent_probes.hpp",
        "static constexpr std::uint32_t kReorder = 2;",
        "static constexpr std::uint32_t kReorder = 0;"),
    Bug("samples of a starved node are not suspect", "probe/starvation.hpp",
        "bool since(Instant begin) const { return last_end_ >= begin; }",
        "bool since(Instant begin) const { return last_end_ > begin + 1h; }"),
    Bug("a receipt is answered by another probe", "path/set_messages.cpp",
        "  if (check.probe) take_receipt(response, path);\n",
        "  if (check.probe) take_receipt(response, path), send_probe(now, path);\n"),
    Bug("an echo's RTT counts from the latest that is open", "probe/echo.cpp",
        "std::max(received_at - found->at, Duration{})",
        "std::max(received_at - open_.back().at, Duration{})"),
    # ---- counting
    Bug("a batch of packets counts as one", "mesh/node.cpp",
        "(size + step - 1) / step);",
        "std::size_t{1});"),
    Bug("rejected packets are not told", "mesh/node.cpp",
        "      out.emit(now, event::PacketRejected{rejected->reason, rejected->from});\n",
        "      static_cast<void>(rejected);\n"),
    # ---- commands
    Bug("a ping of a session that ends stays unanswered", "peer/measurements.cpp",
        "  for (event::Ticket ticket : echo_.abandon())\n"
        "    context_.out.fail(ticket, event::CommandError::lost, \"the session ended meanwhile\");\n",
        "  static_cast<void>(echo_.abandon());\n"),
    Bug("a broken-off bandwidth test keeps the node's lease", "peer/bandwidth_test.cpp",
        "  context_.bandwidth_busy = false;\n  if (stream_) end_stream(*stream_);\n",
        "  if (stream_) end_stream(*stream_);\n"),
    # ---- endings
    Bug("an unanswered goodbye is waited for without end", "peer/session.cpp",
        "leave_deadline_ = said ? now + context_.options.goodbye_timeout : now;",
        "leave_deadline_ = said ? now + 1h : now;"),
    Bug("no stateless reset is sent", "quic/stateless.cpp",
        "if (size <= kSmallestReset || !budget_.take(now)) return;",
        "if (size > 0) return;"),
    Bug("a closed connection answers every packet", "quic/lingering.hpp",
        "if ((received_ & (received_ - 1)) == 0) say_close();",
        "say_close();"),
    Bug("a connection that closed keeps its deadline", "quic/endpoint.cpp",
        "  deadlines.clear(handle);\n  lingering.erase(handle);\n",
        "  lingering.erase(handle);\n"),
    # ---- circuit breakers
    Bug("a peer is blamed for what went wrong here", "peer/session.cpp",
        " && context_.fitness.judges(spec_.id, started);",
        ";"),
    Bug("a session leaves its peer's breaker open", "peer/redial.cpp",
        "  breaker_.reach();\n",
        ""),
    Bug("a probe that was not needed leaves its breaker half open", "peer/redial.cpp",
        "    breaker_.leave(now);\n",
        "    static_cast<void>(now);\n"),
]
