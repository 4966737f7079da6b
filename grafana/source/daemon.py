from kit import OF, Dashboard, Panel, Query, Row, quantile, rate

COST = Row("What it costs", [
    Panel("CPU", "User and system, in cores.", [rate("process_cpu_seconds_total", "instance")], unit="short"),
    Panel("Memory", "Resident.", [Query(f"process_resident_memory_bytes{{{OF}}}", "{{instance}}")], unit="bytes"),
    Panel("File descriptors", "In use, as a share of the limit.", [Query(f"process_open_fds{{{OF}}} / process_max_fds{{{OF}}}", "{{instance}}")], unit="percentunit"),
    Panel("Series", "Series that each daemon serves.", [Query(f"peerwatch_series{{{OF}}}", "{{instance}}")], runbooks=("SeriesFolded",)),
    Panel("Peers without series of their own", "Known peers beyond those that are labelled.",
          [Query(f"sum by (job, instance) (p2p_peers{{{OF}}}) - count by (job, instance) (p2p_peer_connected{{{OF}}})", "{{instance}}")], runbooks=("SeriesFolded",)),
    Panel("Series that left", "The peer is gone, or its label went to another.", [rate("peerwatch_series_evicted_total", "instance")], unit="cps"),
])

TIME = Row("Whether it is in time", [
    Panel("Late timers", "95th percentile of how much later than asked timers fired. If this grows, measurements become suspect.",
          [Query(quantile(0.95, "peerwatch_timer_error_seconds_bucket", "instance"), "{{instance}}")], unit="s", runbooks=("MonitorStarved",)),
    Panel("Busy network thread", "95th percentile of how long it was busy before it looked at its sockets again.",
          [Query(quantile(0.95, "peerwatch_event_loop_lag_seconds_bucket", "instance"), "{{instance}}")], unit="s", runbooks=("MonitorStarved",)),
    Panel("Clock jumps", "Times the machine was suspended, or the process stopped.", [rate("peerwatch_clock_jumps_total", "instance")], unit="cps", runbooks=("ClockTrouble",)),
    Panel("Uptime", "Since the daemon was started.", [Query(f"time() - process_start_time_seconds{{{OF}}}", "{{instance}}")], kind="stat", unit="s", runbooks=("RestartLoop",)),
    Panel("Configuration", "1: the last reload worked; 0: the older configuration stays in force.",
          [Query(f"peerwatch_config_last_reload_successful{{{OF}}}", "{{instance}}")], kind="state-timeline", runbooks=("ReloadFailed",)),
    Panel("Age of the configuration", "Since a configuration was last taken.",
          [Query(f"time() - peerwatch_config_last_reload_success_timestamp_seconds{{{OF}}}", "{{instance}}")], kind="stat", unit="s"),
    Panel("Certificate ends in", "Of the relay's WebSocket. Empty without one.",
          [Query(f"peerwatch_tls_certificate_expiry_timestamp_seconds{{{OF}}} - time()", "{{instance}}")], kind="stat", unit="s", runbooks=("CertificateExpires",)),
])

DROPS = Row("What it drops and refuses", [
    Panel("Queues", "Dropped because a queue was full.", [rate("peerwatch_queue_dropped_total", "instance, queue")], unit="cps", runbooks=("EventsDropped",)),
    Panel("Budgets", "How often a budget held something back.", [rate("peerwatch_budget_denied_total", "instance, budget")], unit="cps", runbooks=("BudgetExhausted",)),
    Panel("Socket buffers", "Datagrams that the kernel threw away because a receive buffer was full.", [rate("peerwatch_socket_drops_total", "instance")], unit="pps",
          runbooks=("EventsDropped",)),
    Panel("Packets rejected", "Datagrams that were dropped as they came, by reason.", [rate("peerwatch_packets_rejected_total", "reason")], unit="pps"),
    Panel("Connectivity checks refused", "By reason.", [rate("peerwatch_checks_refused_total", "reason")], unit="pps"),
    Panel("Candidates refused", "Addresses of peers that nothing is sent to, by reason.", [rate("peerwatch_candidates_refused_total", "reason")], unit="cps"),
])

HTTP = Row("HTTP", [
    Panel("Requests", "By route and status code.", [rate("peerwatch_http_requests_total", "route, code")], unit="reqps"),
    Panel("Time of answers", "95th percentile by route.", [Query(quantile(0.95, "peerwatch_http_request_duration_seconds_bucket", "route"), "{{route}}")], unit="s"),
    Panel("Turned away", "Requests and connections, by reason.", [rate("peerwatch_http_rejected_total", "reason")], unit="cps"),
    Panel("Time of scrapes", "As Prometheus sees it.", [Query(f"scrape_duration_seconds{{{OF}}}", "{{instance}}")], unit="s", width=12, runbooks=("DaemonNotScraped",)),
    Panel("Samples of scrapes", "As Prometheus sees it.", [Query(f"scrape_samples_scraped{{{OF}}}", "{{instance}}")], width=12),
])

DASHBOARD = Dashboard("daemon", "Daemon", "The daemons themselves: their cost, whether they are in time, what they drop.", [COST, TIME, DROPS, HTTP])
