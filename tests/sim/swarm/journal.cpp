#include "sim/swarm/journal.hpp"

#include <cstdio>

#include "observe/fields.hpp"
#include "sim/checks.hpp"
#include "sim/world.hpp"

namespace pw::sim {
namespace {

std::string at(Instant t) {
  char text[32];
  std::snprintf(text, sizeof text, "%10.4f ", to_seconds(t - net::Net::kStart));
  return text;
}

/// What comes every second from everybody says nothing.
bool is_routine(const event::Event& e) {
  return std::holds_alternative<event::EchoMeasured>(e) || std::holds_alternative<event::ProbeMeasured>(e) ||
         std::holds_alternative<event::ProbesAccounted>(e) || std::holds_alternative<event::PathLatency>(e);
}

std::string text_of(const event::Record& record) {
  std::string out = observe::message_of(record.event);
  for (const auto& field : observe::fields_of(record.event))
    out += ' ' + std::string{field.name} + '=' + observe::to_text(field.value);
  return out;
}

std::string text_of(const net::Packet& p) {
  return "packet " + std::to_string(p.id) + ", " + std::to_string(p.payload.size()) + " bytes from " +
         p.source.to_string() + " to " + p.destination.to_string();
}

}  // namespace

void Journal::note(const std::string& text) { out_ << at(world_.now()) << "     " << text << '\n'; }

void Journal::line(const Host& host, const std::string& text) {
  out_ << at(world_.now()) << host.name() << ": " << text << '\n';
}

void Journal::started(Instant, const Host& host) { line(host, "---- starts"); }
void Journal::died(Instant, const Host& host) { line(host, "---- is gone"); }

void Journal::recorded(Instant, const Host& host, const event::Record& record) {
  if (!is_routine(record.event)) line(host, text_of(record));
}

void Journal::commanded(Instant, const Host& host, event::Ticket ticket, const event::Command& command) {
  static constexpr std::array kNames{"connect", "disconnect", "ping", "measure"};
  line(host, "command " + std::to_string(static_cast<std::uint64_t>(ticket)) + ": " + kNames[command.index()] + ' ' +
                 std::visit([](const auto& c) { return c.peer.to_short(); }, command));
}

void Journal::answered(Instant, const Host& host, event::Ticket ticket, const event::Answer& answer) {
  line(host, "answer " + std::to_string(static_cast<std::uint64_t>(ticket)) + ": " +
                 (answer ? "done" : std::string{pw::name(answer.error().code)} + ", " + answer.error().detail));
}

void Journal::sent(Instant, const net::Machine& from, const net::Packet& packet) {
  if (packets_) note(text_of(packet) + " leaves " + from.name());
}

void Journal::arrived(Instant, const net::Machine& where, const net::Packet& packet) {
  if (packets_) note(text_of(packet) + " arrives at " + where.name());
}

void Journal::dropped(Instant, const net::Packet& packet, net::Drop why, std::string_view where) {
  if (packets_) note(text_of(packet) + " ends at " + std::string{where} + ": " + std::string{pw::name(why)});
}

void Digest::mix(std::uint64_t value) { value_ = (value_ ^ value) * 1099511628211ULL; }

void Digest::recorded(Instant t, const Host& host, const event::Record& record) {
  mix(static_cast<std::uint64_t>(t.time_since_epoch().count()));
  mix(host.index());
  mix(record.event.index());
  // What a bent packet looks like depends on keys, which are never the same.
  if (std::holds_alternative<event::PacketRejected>(record.event)) return;
  for (const char c : text_of(record)) mix(static_cast<std::uint8_t>(c));
}

void Digest::arrived(Instant t, const net::Machine& machine, const net::Packet& packet) {
  mix(static_cast<std::uint64_t>(t.time_since_epoch().count()));
  mix(machine.index());
  mix(packet.payload.size());
}

}  // namespace pw::sim
