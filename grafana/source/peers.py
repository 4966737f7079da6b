from kit import OF, Dashboard, Panel, Query, Row, quantile, variable

TOP = Row("The most, and the worst", [
    Panel("Most traffic", "The ten pairs with the most traffic, in and out, mean of the last 60 s.",
          [Query(f"topk(10, sum by (instance, peer_id) (p2p_bandwidth_bytes_per_second{{{OF}}}))", "{{instance}} {{peer_id}}")], kind="table", unit="Bps"),
    Panel("Longest round trips", "The ten pairs with the longest 95th percentile of the time shown.",
          [Query(f"topk(10, histogram_quantile(0.95, sum by (instance, peer_id, le) (increase(p2p_rtt_milliseconds_bucket{{{OF}}}[$__range]))))",
                 "{{instance}} {{peer_id}}")], kind="table", unit="ms", runbooks=("HighRtt",)),
    Panel("Most loss", "The ten pairs and directions with the most loss in the time shown.",
          [Query(f"topk(10, sum by (instance, peer_id, direction) (increase(p2p_probes_lost_total{{{OF}}}[$__range])) / "
                 f"sum by (instance, peer_id, direction) (increase(p2p_probes_expected_total{{{OF}}}[$__range])))",
                 "{{instance}} {{peer_id}} {{direction}}")], kind="table", unit="percentunit", runbooks=("PacketLoss",)),
    Panel("Names and versions", "The name that each node gives a peer, and the version that the peer told.",
          [Query(f"max by (instance, peer_id, name, version) (p2p_peer_info{{{OF}}})")], kind="table", width=12, runbooks=("VersionSkew",)),
    Panel("Seconds since a peer was last seen", "The longest first; a connected peer proves itself every second or so.",
          [Query(f"topk(10, time() - p2p_peer_last_seen_timestamp_seconds{{{OF}}})", "{{instance}} {{peer_id}}")], kind="table", unit="s", width=12,
          runbooks=("PeerDown",)),
])

ONE = OF + ', peer_id=~"$peer"'
DEPTH = Row("One peer in depth", [
    Panel("Path in use", "Which path carries the session with the chosen peers.",
          [Query(f"p2p_peer_path{{{ONE}}}", "{{instance}} {{peer_id}} {{path}}")], kind="state-timeline", width=24, height=8, runbooks=("PathFlapping",)),
    Panel("Circuit breaker", "Whether the peer is left alone for a while, or is tried once.",
          [Query(f'p2p_circuit_breaker_state{{{ONE}, state!="closed"}}', "{{instance}} {{peer_id}} {{state}}")], kind="state-timeline", width=24,
          runbooks=("BreakerOpen",)),
    Panel("Round trip", "95th percentile of the echoes.",
          [Query(quantile(0.95, "p2p_rtt_milliseconds_bucket", "instance, peer_id", ONE), "{{instance}} {{peer_id}}")], unit="ms", runbooks=("HighRtt",)),
    Panel("Loss", "Of the last 60 s.", [Query(f"p2p_probe_loss_ratio{{{ONE}}}", "{{instance}} {{peer_id}} {{direction}}")], unit="percentunit",
          runbooks=("PacketLoss", "OneWayLoss")),
    Panel("Jitter", "Interarrival jitter of the probes that the peer sends.", [Query(f"p2p_jitter_seconds{{{ONE}}}", "{{instance}} {{peer_id}}")], unit="s"),
    Panel("Traffic", "UDP payload exchanged.",
          [Query(f"sum by (instance, peer_id, direction) (rate(p2p_bytes_transferred_total{{{ONE}}}[$__rate_interval]))",
                 "{{instance}} {{peer_id}} {{direction}}")], unit="Bps"),
    Panel("Congestion window", "Of the session's connection.", [Query(f"p2p_quic_cwnd_bytes{{{ONE}}}", "{{instance}} {{peer_id}}")], unit="bytes"),
    Panel("Bytes in flight", "Sent, and not yet acknowledged.", [Query(f"p2p_quic_bytes_in_flight{{{ONE}}}", "{{instance}} {{peer_id}}")], unit="bytes"),
])

PEER = variable("peer", "Peer", 'label_values(p2p_peer_connected{job=~"$job"}, peer_id)', "Peers that have series of their own")

DASHBOARD = Dashboard("peers", "Peers", "The pairs with the most traffic, the longest round trips, the most loss; one peer in depth.", [TOP, DEPTH], (PEER,))
