// relay: pairs of clients of one real relay; one of each pair sends packets of 1200 bytes to the other through a channel, at
// a pace: service::Client over quic::Endpoint, as a daemon has them, without a daemon.
//
//   relay SERVER_ID PORT PAIRS PACKETS_PER_SECOND SECONDS [GREEDY]
//
// The relay is at 127.0.0.1, and open to everybody. Each client has an address of its own (127.5.x.y): limits per source must
// not see one client. GREEDY: the first pair sends so many times what each other one does.
#include <poll.h>

#include <memory>
#include <vector>

#include "base/check.hpp"
#include "io/transmit_queue.hpp"
#include "load.hpp"
#include "service/client.hpp"

namespace {

using namespace pw;

constexpr std::size_t kReceiveBatch = 64;

Instant clock_now() { return Instant{std::chrono::steady_clock::now().time_since_epoch()}; }

class Member {
 public:
  Member(std::size_t number, const PeerId& server, std::uint16_t port, std::shared_ptr<io::SendBatch> batch)
      : identity_{make_identity(number)},
        fd_{bench::open_socket({127, 5, static_cast<std::uint8_t>(number / 250), static_cast<std::uint8_t>(number % 250 + 1)})},
        out_{fd_, std::move(batch)},
        endpoint_{{}, identity_, Rng{number + 1}},
        client_{options_, endpoint_, identity_.id(), {server, wire::service::Services::relay}, {}, Rng{number + 1000}, via_},
        server_{IpAddress::v4({127, 0, 0, 1}), port} {
    client_.set_addresses(clock_now(), {{{}, server_}});
    drain();
  }

  const PeerId& id() const { return identity_.id(); }
  bool ready() const { return client_.ready(); }
  bool open() const { return up_; }
  void open_channel(const PeerId& to) {
    channel_ = client_.open_channel(clock_now(), to).value();
    drain();
  }
  void send(std::size_t n) {
    static const Buffer packet(bench::kPacket, 7);
    for (std::size_t i = 0; i < n; ++i) sent += client_.send(channel_, packet) ? 1 : 0;
    if (n > 0) drain();
  }
  void receive() {
    static std::array<std::array<std::uint8_t, 2048>, kReceiveBatch> buffers;
    std::array<mmsghdr, kReceiveBatch> messages{};
    std::array<iovec, kReceiveBatch> vectors;
    for (std::size_t i = 0; i < kReceiveBatch; ++i) {
      vectors[i] = {buffers[i].data(), buffers[i].size()};
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    const PathAddress from{{}, server_};
    for (int n = kReceiveBatch; n == kReceiveBatch;) {
      n = ::recvmmsg(fd_, messages.data(), kReceiveBatch, MSG_DONTWAIT, nullptr);
      const Instant now = clock_now();
      for (int i = 0; i < n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        endpoint_.handle_datagram(now, now, from, ByteView{buffers[at]}.first(messages[at].msg_len));
      }
      if (n > 0) drain();
    }
  }
  void timeout() {
    const Instant now = clock_now();
    if (endpoint_.poll_timeout() > now && client_.poll_timeout() > now) return;
    endpoint_.handle_timeout(now);
    client_.handle_timeout(now);
    drain();
  }
  std::uint64_t sent = 0;
  std::uint64_t received = 0;

 private:
  static quic::Identity make_identity(std::size_t number) {
    quic::Identity::Seed seed{};
    seed[0] = static_cast<std::uint8_t>(number);
    seed[1] = static_cast<std::uint8_t>(number >> 8);
    seed[31] = 2;
    return std::move(quic::Identity::from_seed(seed).value());
  }
  void drain() {
    const Instant now = clock_now();
    for (bool again = true; again;) {
      again = false;
      for (; auto e = endpoint_.poll_event(); again = true) client_.handle(now, *e);
      for (; auto e = client_.poll_event(); again = true) {
        if (const auto* packet = std::get_if<service::Arrived>(&*e)) received += packet->bytes.size() == bench::kPacket;
        up_ |= std::holds_alternative<service::ChannelUp>(*e);
      }
    }
    endpoint_.flush(now);
    while (auto t = endpoint_.poll_transmit()) out_.push({t->path, std::move(t->bytes), t->segment_size});
    static_cast<void>(out_.flush());
  }

  quic::Identity identity_;
  int fd_;
  io::TransmitQueue out_;
  service::ClientOptions options_;
  std::uint32_t via_ = 1;
  quic::Endpoint endpoint_;
  service::Client client_;
  Via channel_{};
  bool up_ = false;
  SocketAddress server_;
};

using Members = std::vector<std::unique_ptr<Member>>;

void turn(Members& members) {
  for (auto& member : members) {
    member->receive();
    member->timeout();
  }
}

void await(Members& members, bool (Member::*what)() const) {
  const auto begin = bench::Clock::now();
  while (!std::ranges::all_of(members, [&](const auto& m) { return ((*m).*what)(); })) {
    turn(members);
    std::this_thread::sleep_for(bench::kTick);
    if (bench::Clock::now() - begin < std::chrono::seconds{30}) continue;
    std::fprintf(stderr, "relay: the relay lets not everybody in\n");
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const auto id = argc >= 6 ? PeerId::parse(argv[1]) : Result<PeerId>{fail("")};
  if (!id) {
    std::fprintf(stderr, "usage: relay SERVER_ID PORT PAIRS PACKETS_PER_SECOND SECONDS [GREEDY]\n");
    return 2;
  }
  const bench::Load load{std::strtoull(argv[3], nullptr, 10), std::atof(argv[4]), std::atof(argv[5])};
  const std::size_t greedy = argc > 6 ? std::strtoull(argv[6], nullptr, 10) : 1;
  const auto batch = io::make_send_batch();
  Members members;  // sources, then as many sinks
  for (std::size_t i = 0; i < 2 * load.pairs; ++i)
    members.push_back(std::make_unique<Member>(i, *id, static_cast<std::uint16_t>(std::atoi(argv[2])), batch));
  await(members, &Member::ready);
  for (std::size_t i = 0; i < load.pairs; ++i) members[i]->open_channel(members[load.pairs + i]->id());
  await(members, &Member::open);
  bench::await_go();
  bench::Pace pace{load.packets_per_second};
  const auto begin = bench::Clock::now();
  const std::size_t shares = load.pairs - 1 + greedy;
  std::size_t next = 0;
  for (auto tick = begin; bench::Clock::now() - begin < std::chrono::duration<double>(load.seconds); tick += bench::kTick) {
    const std::size_t due = pace.due();
    for (std::size_t i = 0; i < shares; ++i) {
      const std::size_t share = (next + i) % shares;
      members[share < load.pairs ? share : 0]->send((due + i) / shares);
    }
    next += due % shares;
    turn(members);
    if (tick < bench::Clock::now()) tick = bench::Clock::now();
    std::this_thread::sleep_until(tick + bench::kTick);
  }
  const double seconds = std::chrono::duration<double>(bench::Clock::now() - begin).count();
  for (int i = 0; i < 100; ++i) {
    turn(members);
    std::this_thread::sleep_for(bench::kTick);
  }
  std::uint64_t sent = 0, received = 0;
  for (std::size_t i = 0; i < load.pairs; ++i) {
    sent += members[i]->sent;
    received += members[load.pairs + i]->received;
    if (greedy > 1)
      std::printf("pair %zu: %llu of %llu\n", i, static_cast<unsigned long long>(members[load.pairs + i]->received),
                  static_cast<unsigned long long>(members[i]->sent));
  }
  bench::report(seconds, sent, received);
}
