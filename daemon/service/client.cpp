#include "service/client.hpp"

#include <algorithm>
#include <utility>

#include "service/server.hpp"

namespace pw::service {

using event::ErrorType;
using wire::service::Refusal;

Client::Client(const ClientOptions& options, quic::Endpoint& endpoint, const PeerId& self, ServerSpec server,
               Credentials credentials, Rng rng, std::uint32_t& next_via)
    : options_{options},
      endpoint_{endpoint},
      self_{self},
      server_{server},
      credentials_{std::move(credentials)},
      rng_{std::move(rng)},
      next_via_{next_via},
      backoff_{options.retry_initial, options.retry_max} {}

// ---- the connection

void Client::set_addresses(Instant now, std::vector<PathAddress> addresses) {
  const bool first = addresses_.empty();
  addresses_ = std::move(addresses);
  if (state_ == State::waiting && (first || addresses_.empty())) retry_at_ = addresses_.empty() ? kNever : now;
}

void Client::dial(Instant now) {
  retry_at_ = kNever;
  const auto made = endpoint_.dial(now, addresses_, server_.id, quic::Protocol::service);
  dialled_at_ = now;
  if (!made) return lost(now, ErrorType::resource_exhausted, made.error().detail);
  connection_ = *made;
  state_ = State::dialling;
}

void Client::lost(Instant now, ErrorType error, std::string detail) {
  const bool was_up = state_ == State::ready;
  state_ = State::waiting;
  connection_.reset();
  control_.reset();
  reader_ = {};
  granted_ = {};
  observed_.reset();
  early_.clear();
  give_up_ = register_at_ = ask_at_ = probe_at_ = gone_at_ = kNever;
  while (!pending_.empty()) fail_request(now, pending_.begin()->first, RequestResult::lost);
  while (!channels_.empty()) end_channel(now, channels_.begin(), ChannelLoss::connection_lost, {});
  retry_at_ = addresses_.empty() ? kNever : now + backoff_.next(rng_);
  emit(ServiceDown{server_.id, was_up, error, std::move(detail)});
}

void Client::shutdown(Instant now) {
  addresses_.clear();
  if (!connection_) {
    retry_at_ = kNever;
    return;
  }
  endpoint_.close(now, *connection_, static_cast<std::uint64_t>(CloseCode::done), "shutdown");
  lost(now, ErrorType::unknown, "shut down here");
}

void Client::network_changed(Instant now) {
  if (hasten_at_ <= now) hasten_at_ = std::max(now, hasten_at_ + kHastenPause);
  if (retry_at_ != kNever) retry_at_ = earlier(retry_at_, hasten_at_ + rng_.up_to(options_.retry_initial));
  probe_soon(now);
}

void Client::doubt(Instant now) {
  if (gone_at_ == kNever) probe_soon(now);
}

void Client::probe_soon(Instant now) {
  if (ready()) probe_at_ = std::max(now, probed_at_ + kProbePause);
}

void Client::probe(Instant now) {
  probe_at_ = kNever;
  probed_at_ = now;
  if (!ask(now)) return;
  probe_ = last_request_;
  gone_at_ = now + options_.probe_timeout + 4 * *rtt();
}

void Client::greet(Instant now, const quic::Established& e) {
  state_ = State::greeting;
  give_up_ = now + options_.greeting_timeout;
  const auto stream = endpoint_.open_stream(e.connection);
  if (!stream) return;  // the greeting's time-out ends it
  control_ = *stream;
  wire::service::Hello hello;
  hello.services = server_.services;
  hello.mesh_tags = mesh_tags(credentials_.mesh, credentials_.secrets);
  hello.notify = options_.notify;
  if (!credentials_.secrets.empty())
    hello.proof = prove(credentials_.secrets[secret_ % credentials_.secrets.size()], endpoint_.exporter(e.connection),
                        self_, server_.id, credentials_.mesh);
  send(hello);
}

std::optional<Duration> Client::rtt() const {
  if (!ready()) return std::nullopt;
  return endpoint_.stats(*connection_).smoothed_rtt;
}

bool Client::send(const wire::service::Message& message) {
  return control_ && endpoint_.write_stream(*connection_, *control_, wire::service::encode(message)).has_value();
}

// ---- input

bool Client::handle(Instant now, const quic::Event& event) {
  const quic::Handle handle = std::visit([](const auto& e) { return e.connection; }, event);
  if (connection_ != handle) return false;
  if (const auto* up = std::get_if<quic::Established>(&event)) {
    greet(now, *up);
  } else if (const auto* data = std::get_if<quic::StreamData>(&event)) {
    on(now, *data);
  } else if (const auto* datagram = std::get_if<quic::DatagramReceived>(&event)) {
    on(*datagram);
  } else if (const auto* closed = std::get_if<quic::Closed>(&event)) {
    const bool refused = closed->application_code == static_cast<std::uint64_t>(CloseCode::not_admitted);
    if (refused) ++secret_;
    lost(now, closed->application_code ? (refused ? ErrorType::admission : ErrorType::refused) : closed->error,
         closed->detail);
  }
  return true;
}

void Client::on(Instant now, const quic::StreamData& e) {
  if (!e.bytes.empty()) endpoint_.consume(e.connection, e.stream, e.bytes.size());
  if (control_ != e.stream) return;  // a server opens none
  reader_.feed(e.bytes);
  while (connection_) {
    auto message = reader_.next();
    if (!message) break;
    if (!*message) {
      endpoint_.close(now, *connection_, static_cast<std::uint64_t>(CloseCode::protocol), message->error().detail);
      return lost(now, ErrorType::protocol, message->error().detail);
    }
    read(now, **message);
  }
}

void Client::on(const quic::DatagramReceived& e) {
  const auto packet = wire::service::out_of_channel(e.bytes);
  if (!packet || state_ != State::ready) return;
  const auto found = channels_.find(packet->first);
  if (found != channels_.end() && found->second.up) {
    emit(Arrived{{{}, {}, found->second.via}, e.received_at, Buffer(packet->second.begin(), packet->second.end())});
    return;
  }
  if (early_.size() >= options_.max_early) early_.pop_front();
  early_.push_back({packet->first, e.received_at, Buffer(packet->second.begin(), packet->second.end())});
}

void Client::handle_timeout(Instant now) {
  if (retry_at_ <= now) dial(now);
  if (give_up_ <= now) {
    endpoint_.close(now, *connection_, static_cast<std::uint64_t>(CloseCode::protocol), "no Welcome in time");
    lost(now, ErrorType::timeout, "no Welcome in time");
  }
  const Instant asked_before = now - options_.request_timeout;
  const bool gone = gone_at_ <= now || std::ranges::any_of(pending_, [&](const auto& p) {
    return p.second.kind == RequestKind::observe && p.second.asked <= asked_before;
  });
  for (auto i = pending_.begin(); i != pending_.end();) {
    const auto here = i++;
    if (here->second.asked <= asked_before) fail_request(now, here->first, RequestResult::timeout);
  }
  if (gone) {
    endpoint_.close(now, *connection_, static_cast<std::uint64_t>(CloseCode::done), "no answer");
    return lost(now, ErrorType::timeout, "the server does not answer");
  }
  for (auto i = channels_.begin(); i != channels_.end();) {
    const auto here = i++;
    if (here->second.up || here->second.asked > asked_before) continue;
    send(wire::service::ChannelClosed{here->first, wire::service::ChannelEnd::closed});
    end_channel(now, here, ChannelLoss::timeout, {});
  }
  if (register_at_ <= now && record_) publish(now, wire::PeerRecord{*record_});
  if (probe_at_ <= now) probe(now);
  if (ask_at_ <= now) ask(now);
}

Instant Client::poll_timeout() const {
  Instant next = earlier(earlier(retry_at_, give_up_), earlier(register_at_, ask_at_));
  next = earlier(next, earlier(probe_at_, gone_at_));
  for (const auto& [request, p] : pending_) next = earlier(next, p.asked + options_.request_timeout);
  for (const auto& [number, c] : channels_)
    if (!c.up) next = earlier(next, c.asked + options_.request_timeout);
  return next;
}

std::optional<ClientEvent> Client::poll_event() {
  if (events_.empty()) return std::nullopt;
  ClientEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

}  // namespace pw::service
