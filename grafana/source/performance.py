from kit import OF, Dashboard, Panel, Query, Row, quantiles, rate

RTT = Row("Round trips", [
    Panel("Round trips over sessions", "How many echoes took how long. Retransmissions are in it.",
          [Query(f"sum by (le) (increase(p2p_rtt_milliseconds_bucket{{{OF}}}[$__rate_interval]))", "{{le}}")],
          kind="heatmap", unit="ms", width=12, runbooks=("HighRtt",)),
    Panel("Round trips by percentile", "Of the echoes of all chosen nodes.", quantiles("p2p_rtt_milliseconds_bucket"),
          unit="ms", width=12, runbooks=("HighRtt",)),
    Panel("Round trips by peer", "95th percentile over 10 minutes, of all nodes together, and that of the day before: the alert compares them.",
          [Query('job_peer:p2p_rtt_milliseconds:p95_10m{job=~"$job"}', "{{peer_id}}"),
           Query('job_peer:p2p_rtt_milliseconds:p95_1d{job=~"$job"}', "{{peer_id}} the day before")], unit="ms", runbooks=("HighRtt",)),
    Panel("Round trips of probes", "Probes over each path; never retransmitted.", quantiles("p2p_datagram_rtt_seconds_bucket", "path"), unit="s"),
    Panel("Smoothed round trips of live paths", "Taken every 10 s of each live path.", quantiles("connection_latency_ms_bucket", "path"), unit="ms"),
])

LOSS = Row("Loss and jitter", [
    Panel("Loss by direction", "Probes lost among those whose fate is known.",
          [Query(f"sum by (direction) (rate(p2p_probes_lost_total{{{OF}}}[$__rate_interval])) / "
                 f"sum by (direction) (rate(p2p_probes_expected_total{{{OF}}}[$__rate_interval]))", "{{direction}}")],
          unit="percentunit", runbooks=("PacketLoss", "OneWayLoss")),
    Panel("Loss by pair", "Of the last 60 s, per node and peer.",
          [Query(f"p2p_probe_loss_ratio{{{OF}}}", "{{instance}} {{peer_id}} {{direction}}")], unit="percentunit", runbooks=("PacketLoss",)),
    Panel("Loss by peer", "Over 10 minutes, of all nodes together: what the alerts look at.",
          [Query('job_peer_direction:p2p_probes:loss_ratio10m{job=~"$job"}', "{{peer_id}} {{direction}}")], unit="percentunit",
          runbooks=("PacketLoss", "OneWayLoss")),
    Panel("Jitter", "Interarrival jitter of the probes that each peer sends.",
          [Query(f"p2p_jitter_seconds{{{OF}}}", "{{instance}} {{peer_id}}")], unit="s", width=12),
    Panel("Suspect probes", "Left out of loss, because the node itself was late.", [rate("p2p_probes_suspect_total", "instance")],
          unit="cps", width=12, runbooks=("MonitorStarved",)),
])

TRAFFIC = Row("Bandwidth", [
    Panel("Traffic of the daemons", "Mean of the last 60 s with labelled peers.",
          [Query(f"sum by (direction) (p2p_bandwidth_bytes_per_second{{{OF}}})", "{{direction}}")], unit="Bps"),
    Panel("Traffic by path", "UDP payload exchanged with peers.", [rate("p2p_bytes_transferred_total", "path, direction")], unit="Bps"),
    Panel("QUIC packets", "UDP datagrams with QUIC packets, to and from peers.",
          [Query(f"sum(rate(p2p_quic_packets_sent_total{{{OF}}}[$__rate_interval]))", "sent"),
           Query(f"sum(rate(p2p_quic_packets_received_total{{{OF}}}[$__rate_interval]))", "received")], unit="pps"),
    Panel("Measured bandwidth", "Result of each pair's last active measurement (peerwatch bandwidth). Empty without one.",
          [Query(f"p2p_bandwidth_estimate_bytes_per_second{{{OF}}}", "{{instance}} {{peer_id}} {{direction}}")], unit="Bps", width=12),
    Panel("Results of measurements", "Active measurements, in 10⁶ bit/s. Empty while nobody measures.",
          quantiles("connection_throughput_mbps_bucket", "direction"), unit="Mbits", width=12),
])

PATHS = Row("Paths", [
    Panel("Changes of path", "Why sessions went over to another path, or lost theirs.", [rate("p2p_path_changes_total", "reason")],
          unit="cps", runbooks=("PathFlapping",)),
    Panel("Changes by path", "Between which paths.", [rate("p2p_path_changes_total", "from_path, to_path")], unit="cps", runbooks=("PathFlapping",)),
    Panel("Paths for packets of full size", "Whether proved paths let 1200 bytes through, by node, peer and path; no row while it is not known.",
          [Query(f'p2p_path_usable{{{OF}, size="full"}}', "{{instance}} {{peer_id}} {{path}}")], kind="state-timeline", width=16,
          runbooks=("FullSizeBlackHole",)),
    Panel("Failover", "From the last answer on the old path to the first on the new one. Empty while no path fails.",
          quantiles("p2p_path_failover_seconds_bucket"), unit="s"),
])

DASHBOARD = Dashboard("performance", "Performance", "How well packets get through: round trips, loss, jitter, bandwidth, paths.",
                      [RTT, LOSS, TRAFFIC, PATHS])
