from kit import OF, Dashboard, Panel, Query, Row, quantile, quantiles, rate

ATTEMPTS = Row("Attempts at direct paths", [
    Panel("Attempts by trigger", "Attempts that were needed. Both ends count each.", [rate("nat_attempts_total", "trigger")], unit="cps"),
    Panel("Results", "How attempts have ended.", [rate("nat_results_total", "result, failure")], unit="cps", runbooks=("NatSuccessDropped",)),
    Panel("Successes by method", "What has led to direct paths.", [rate("nat_results_total", "method", 'result="success"')], unit="cps"),
    Panel("Success against the past", "Share of successes over 6 hours, and its mean over the week before; what could not succeed, or whose other end was gone, is left out.",
          [Query('job:nat_results:success_ratio6h{job=~"$job"}', "{{job}} 6 hours"),
           Query('job:nat_results:success_ratio7d{job=~"$job"}', "{{job}} the week before")], unit="percentunit", width=12,
          runbooks=("NatSuccessDropped",)),
    Panel("Sample count of the success", "Attempts over 6 hours on which the share stands.",
          [Query('job:nat_results:increase6h{job=~"$job"}', "{{job}}")], width=12),
    Panel("Results by pair of NATs", "Attempts of the time shown, by the NATs of both ends.",
          [Query(f"sum by (local_nat, remote_nat, family, result) (increase(nat_traversal_by_type_total{{{OF}}}[$__range]))")],
          kind="table", width=12),
    Panel("Success by pair of NATs", "Share of successes in the time shown; the table beside has the counts.",
          [Query(f'sum by (local_nat, remote_nat, family) (increase(nat_traversal_by_type_total{{{OF}, result="success"}}[$__range])) / '
                 f'sum by (local_nat, remote_nat, family) (increase(nat_traversal_by_type_total{{{OF}, result=~"success|failure"}}[$__range]))')],
          kind="table", unit="percentunit", width=12),
    Panel("Time of rounds", "From the beginning of a round of punching to its end.", quantiles("nat_duration_ms_bucket", "result"), unit="ms", width=12),
    Panel("Time to a direct path", "From the first attempt to reach a peer until its session went by a direct path for the first time.",
          quantiles("p2p_time_to_direct_seconds_bucket"), unit="s", width=12),
    Panel("Time by phase", "95th percentile of the phases of rounds.",
          [Query(quantile(0.95, "nat_phase_duration_seconds_bucket", "phase"), "{{phase}}")], unit="s", width=12),
])

TYPES = Row("NATs of the nodes", [
    Panel("What the NATs do", "In the terms of RFC 4787, as measured. Empty where no server answers STUN.",
          [Query(f"max by (instance, family, mapping, filtering, hairpin) (nat_local_type_info{{{OF}}})")], kind="table", width=12),
    Panel("Port mappings", "The state of each protocol that maps a node's port at its gateway.",
          [Query(f"max by (instance, protocol, state) (nat_port_mappings{{{OF}}} == 1)")], kind="table", width=12),
    Panel("Lifetime of mappings", "For so long a NAT was seen to keep a silent mapping; learned in the minutes after a measurement.",
          [Query(f"nat_mapping_lifetime_seconds{{{OF}}}", "{{instance}} {{family}}")], unit="s"),
])

SERVERS = Row("Bootstraps and relays, as clients see them", [
    Panel("Bootstraps that are up", "Share of the nodes that use a bootstrap and are connected to it.",
          [Query(f"avg by (job, bootstrap) (bootstrap_up{{{OF}}})", "{{bootstrap}}")], unit="percentunit", runbooks=("BootstrapDown",)),
    Panel("Requests to bootstraps", "Requests that have ended, by result.", [rate("bootstrap_requests_total", "bootstrap, request, result")], unit="cps",
          runbooks=("BootstrapDown",)),
    Panel("Answers of bootstraps", "95th percentile of how long they took.",
          [Query(quantile(0.95, "bootstrap_response_time_ms_bucket", "bootstrap, request"), "{{bootstrap}} {{request}}")], unit="ms"),
    Panel("Relays that are up", "Share of the nodes that use a relay and are connected to it, by transport.",
          [Query(f"avg by (job, relay, transport) (p2p_relay_up{{{OF}}})", "{{relay}} {{transport}}")], unit="percentunit", width=12,
          runbooks=("RelayDown",)),
    Panel("Round trip to relays", "Smoothed by QUIC.", [Query(f"p2p_relay_rtt_seconds{{{OF}}}", "{{instance}} {{relay}} {{transport}}")],
          unit="s", width=12),
])

SERVING = Row("Nodes that serve others", [
    Panel("Clients of relays", "Connected and admitted now.", [Query(f"sum by (instance, transport) (p2p_relay_clients{{{OF}}})", "{{instance}} {{transport}}")]),
    Panel("Bytes relayed", "Packets carried between clients.", [rate("p2p_relay_forwarded_bytes_total", "instance")], unit="Bps", runbooks=("RelaySaturated",)),
    Panel("Packets relayed", "Packets carried between clients.", [rate("p2p_relay_forwarded_packets_total", "instance")], unit="pps", runbooks=("RelaySaturated",)),
    Panel("Packets not relayed", "By reason; queue is the server's own, full.", [rate("p2p_relay_dropped_packets_total", "instance, reason")], unit="pps",
          runbooks=("RelaySaturated",)),
    Panel("WebSockets turned away", "Refused or thrown out, by reason.", [rate("p2p_relay_pipes_refused_total", "reason")], unit="cps"),
    Panel("Channels turned away", "That others opened to this node through a relay, by reason.", [rate("p2p_inbound_channels_closed_total", "reason")], unit="cps"),
    Panel("Requests served", "Requests of clients of bootstraps.", [rate("bootstrap_served_requests_total", "request, result")], unit="cps"),
    Panel("Registered peers", "Peers whose record a bootstrap holds now.", [Query(f"bootstrap_registry_entries{{{OF}}}", "{{instance}}")], width=12),
    Panel("STUN", "Datagrams of STUN that check no path of ours.", [rate("stun_requests_total", "result")], unit="pps", width=12),
])

DASHBOARD = Dashboard("nat", "NAT and relays", "Direct paths through NATs, and the servers that help.", [ATTEMPTS, TYPES, SERVERS, SERVING])
