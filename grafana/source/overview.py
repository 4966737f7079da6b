from kit import OF, Dashboard, Panel, Query, Row, quantiles, rate

NOW = Row("Now", [
    Panel("Nodes that answer", "Daemons that Prometheus gets metrics of, among those it is told to scrape.",
          [Query('sum(up{job=~"$job"})', "scraped"), Query('count(up{job=~"$job"})', "configured")],
          kind="stat", width=5, height=4, runbooks=("DaemonNotScraped",)),
    Panel("Nodes that reach nobody", "Nodes with peers in their configuration and no live path to any peer.",
          [Query(f"count((instance:p2p_peers_reachable:sum{{{OF}}} == 0) and on (job, instance) (p2p_peers_configured > 0)) or vector(0)")],
          kind="stat", width=5, height=4, runbooks=("NodeIsolated",)),
    Panel("Peers that nobody reaches", "Peers to which no node has a live path. Isolated nodes are not asked.",
          [Query('count(job_peer:p2p_peer_connected:max{job=~"$job"} == 0) or vector(0)')],
          kind="stat", width=5, height=4, runbooks=("PeerDown", "RelayedPeerDown")),
    Panel("Dials that succeed", "Of the dials that ended in the time shown as success or failure.",
          [Query(f'sum(increase(p2p_connection_attempts_total{{{OF}, result="success"}}[$__range])) / '
                 f'sum(increase(p2p_connection_attempts_total{{{OF}, result=~"success|failed"}}[$__range]))')],
          kind="stat", unit="percentunit", width=5, height=4, runbooks=("ConnectionFailureRate",)),
    Panel("Known peers with a path", "Pairs of a node and a peer that it knows, of which a live path carries the session.",
          [Query(f'sum(p2p_peers_by_path{{{OF}, path!="none"}}) / sum(p2p_peers_by_path{{{OF}}})')],
          kind="stat", unit="percentunit", width=4, height=4, runbooks=("TooFewPeers",)),
    Panel("Alerts", "Alerts that fire now.", [Query('max by (alertname, severity) (ALERTS{alertstate="firing", job=~"$job"})')],
          kind="table", width=24, height=6),
])

MESH = Row("Mesh", [
    Panel("Sessions by state", "Sessions of all chosen nodes; each session counts at both ends.",
          [Query(f"sum by (state) (p2p_connections_active{{{OF}}})", "{{state}}")], stacked=True, runbooks=("TooFewPeers",)),
    Panel("Known peers by path", "What carries the traffic with the peers that the nodes know; none: no live path.",
          [Query(f"sum by (path) (p2p_peers_by_path{{{OF}}})", "{{path}}")], stacked=True, runbooks=("EverythingRelayed",)),
    Panel("Peers reached and configured", "Per node: peers with a live path, and peers in its configuration.",
          [Query(f"instance:p2p_peers_reachable:sum{{{OF}}}", "{{instance}} reached"),
           Query(f"p2p_peers_configured{{{OF}}}", "{{instance}} configured")], runbooks=("NodeIsolated", "TooFewPeers")),
    Panel("Who reaches whom", "A row for each node and each of its peers: whether a live path carries the session. Names are those that the node gives.",
          [Query(f"p2p_peer_connected{{{OF}}} * on (job, instance, peer_id) group_left (name) p2p_peer_info{{{OF}}}",
                 "{{instance}} → {{name}} {{peer_id}}")], kind="state-timeline", width=24, height=10,
          runbooks=("MeshViewsDiffer", "PeerDown")),
])

CHANGES = Row("Connections", [
    Panel("Dials by result", "Dials a second, counted when they end. Cancelled: not needed any more.",
          [rate("p2p_connection_attempts_total", "result")], unit="cps", runbooks=("ConnectionFailureRate",)),
    Panel("Errors by type", "Connections that failed, dialled or accepted.",
          [rate("p2p_connection_errors_total", "error_type")], unit="cps", runbooks=("ConnectionErrors", "AdmissionRefusals")),
    Panel("Failures by category", "Failures whose cause was seen, as recovery is told them.", [rate("p2p_failures_total", "category")], unit="cps",
          runbooks=("ConnectionFailureRate",)),
    Panel("Circuit breakers that are not closed", "Peers that are left alone for a while, or tried once, summed up over the nodes.",
          [Query(f'sum by (state) (p2p_circuit_breakers{{{OF}, state!="closed"}})', "{{state}}")], stacked=True, runbooks=("BreakersOpen", "BreakerOpen")),
    Panel("Changes of circuit breakers", "By the state that they came to.", [rate("p2p_circuit_breaker_transitions_total", "to_state")], unit="cps",
          runbooks=("BreakerOpen",)),
    Panel("Sessions lost", "Changes of sessions from connected to something else.",
          [rate("p2p_connection_state_transitions_total", "to_state", 'from_state="connected"')], unit="cps", runbooks=("PeerChurn",)),
    Panel("Why sessions ended", "Sessions that ended, by reason.",
          [rate("p2p_connection_duration_seconds_count", "close_reason")], unit="cps", runbooks=("PeerChurn",)),
    Panel("How long sessions were up", "Of the sessions that ended. Empty while none ends.",
          quantiles("p2p_connection_duration_seconds_bucket"), unit="s"),
    Panel("Time to a session", "From the first attempt to reach a peer until its session was up.",
          quantiles("p2p_time_to_connected_seconds_bucket"), unit="s"),
    Panel("Peers discovered", "Peers that became known, by method.", [rate("p2p_discovered_peers_total", "discovery_method")], unit="cps"),
    Panel("Discovery failures", "Names, files and records that could not be had; the same failure in a row counts once.",
          [rate("p2p_discovery_failures_total", "discovery_method")], unit="cps", runbooks=("DiscoveryFailures",)),
    Panel("Versions", "Versions that run.", [Query(f"count by (version) (peerwatch_build_info{{{OF}}})")], kind="table",
          runbooks=("VersionSkew",)),
])

DASHBOARD = Dashboard("overview", "Overview", "The mesh at a glance: who is there, by which path, and what fails.", [NOW, MESH, CHANGES])
