"""What dashboards are made of. A panel says what it shows; where it stands, colours and the like follow from its kind."""
import dataclasses

SCHEMA_VERSION = 39
COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
# The nodes that are looked at: every selector of the daemon's own series has this.
OF = 'job=~"$job", instance=~"$instance"'


@dataclasses.dataclass(frozen=True)
class Query:
    expr: str
    legend: str = ""


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    description: str
    queries: list[Query]
    kind: str = "timeseries"  # stat, timeseries, heatmap, table, state-timeline
    unit: str = "short"
    width: int = 8
    height: int = 8
    stacked: bool = False
    runbooks: tuple[str, ...] = ()  # alerts that tell when this is bad


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    panels: list[Panel]


@dataclasses.dataclass(frozen=True)
class Dashboard:
    name: str
    title: str
    description: str
    rows: list[Row]
    variables: tuple[dict, ...] = ()


def quantile(share: float, bucket: str, by: str = "", matchers: str = OF) -> str:
    """Over the time between two points, of all nodes together, one line for each value of `by`."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({bucket}{{{matchers}}}[$__rate_interval])))"


def quantiles(bucket: str, by: str = "", matchers: str = OF) -> list[Query]:
    tail = f" {{{{{by}}}}}" if by else ""
    return [Query(quantile(share, bucket, by, matchers), f"{name}{tail}") for share, name in ((0.5, "median"), (0.95, "95 %"))]


def rate(counter: str, by: str, matchers: str = "") -> Query:
    chosen = f"{OF}, {matchers}" if matchers else OF
    legend = " · ".join(f"{{{{{label.strip()}}}}}" for label in by.split(","))
    return Query(f"sum by ({by}) (rate({counter}{{{chosen}}}[$__rate_interval]))", legend)


def variable(name: str, label: str, query: str, description: str) -> dict:
    return {"name": name, "label": label, "description": description, "type": "query", "datasource": DATASOURCE,
            "definition": query, "query": {"query": query, "refId": name}, "refresh": 2, "sort": 1, "multi": True,
            "includeAll": True, "allValue": ".*", "current": {"text": ["All"], "value": ["$__all"]}, "hide": 0}


COMMON = (
    {"name": "datasource", "label": "Data source", "description": "The Prometheus that scrapes the daemons", "type": "datasource",
     "query": "prometheus", "current": {}, "hide": 0, "refresh": 1},
    variable("job", "Job", "label_values(peerwatch_build_info, job)", "Scrape jobs of peerwatch"),
    variable("instance", "Node", 'label_values(peerwatch_build_info{job=~"$job"}, instance)', "Nodes as Prometheus knows them"),
    {"name": "runbooks", "label": "Runbooks", "description": "Where docs/runbooks is published", "type": "textbox",
     "query": "docs/runbooks", "current": {"text": "docs/runbooks", "value": "docs/runbooks"}, "hide": 0},
)


def options(panel: Panel) -> dict:
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    return {
        "timeseries": {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}},
        "stat": {"colorMode": "value", "graphMode": "area", "justifyMode": "auto", "textMode": "auto", "orientation": "auto",
                 "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
        "table": {"showHeader": True, "cellHeight": "sm", "footer": {"show": False, "reducer": ["sum"], "fields": ""}},
        "heatmap": {"calculate": False, "color": {"mode": "scheme", "scheme": "Spectral", "steps": 64, "exponent": 0.5, "fill": "dark-orange"},
                    "yAxis": {"unit": panel.unit, "axisPlacement": "left"}, "cellGap": 1, "legend": {"show": True},
                    "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": False}},
        "state-timeline": {"mergeValues": True, "showValue": "never", "alignValue": "left", "rowHeight": 0.9, "legend": legend,
                           "tooltip": {"mode": "single", "sort": "none"}},
    }[panel.kind]


def defaults(panel: Panel) -> dict:
    told: dict = {"unit": panel.unit, "color": {"mode": "palette-classic"}, "mappings": [], "custom": {}}
    if panel.kind == "timeseries":
        told["min"] = 0
        told["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stacked else 5, "showPoints": "never",
                          "spanNulls": False, "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"}}
    if panel.kind == "state-timeline":
        told["custom"] = {"fillOpacity": 80, "lineWidth": 0}
        told["mappings"] = [{"type": "value", "options": {"0": {"text": "no", "color": "red", "index": 0},
                                                           "1": {"text": "yes", "color": "green", "index": 1}}}]
    return told


def render_panel(panel: Panel, number: int, x: int, y: int) -> dict:
    table = panel.kind == "table"
    targets = [{"refId": chr(ord("A") + index), "datasource": DATASOURCE, "editorMode": "code", "expr": query.expr,
                "legendFormat": query.legend or "__auto", "range": not table, "instant": table,
                "format": "table" if table else "heatmap" if panel.kind == "heatmap" else "time_series"}
               for index, query in enumerate(panel.queries)]
    told = {"id": number, "type": panel.kind, "title": panel.title, "description": panel.description, "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}, "targets": targets,
            "fieldConfig": {"defaults": defaults(panel), "overrides": []}, "options": options(panel),
            "links": [{"title": f"Runbook: {name}", "url": f"${{runbooks}}/{name}.md", "targetBlank": True} for name in panel.runbooks]}
    if table:  # instant answers: the time says nothing
        told["transformations"] = [{"id": "organize", "options": {"excludeByName": {"Time": True, "__name__": True},
                                                                   "indexByName": {}, "renameByName": {}}}]
    return told


def render_row(row: Row, number: int, y: int) -> dict:
    return {"id": number, "type": "row", "title": row.title, "description": "", "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}}


def render(dashboard: Dashboard) -> dict:
    panels: list[dict] = []
    y = 0
    for row in dashboard.rows:
        panels.append(render_row(row, len(panels) + 1, y))
        y, x, tallest = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            panels.append(render_panel(panel, len(panels) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    links = [{"title": "peerwatch", "type": "dashboards", "tags": ["peerwatch"], "asDropdown": False, "includeVars": True,
              "keepTime": True, "icon": "external link", "targetBlank": False, "tooltip": "", "url": ""},
             {"title": "Runbooks", "type": "link", "url": "${runbooks}/README.md", "icon": "doc", "targetBlank": True, "tags": [],
              "asDropdown": False, "includeVars": False, "keepTime": False, "tooltip": "What alerts mean, and what to do"}]
    return {"uid": f"peerwatch-{dashboard.name}", "title": f"peerwatch: {dashboard.title}", "description": dashboard.description,
            "tags": ["peerwatch"], "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": True, "graphTooltip": 1,
            "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "browser", "links": links,
            "annotations": {"list": []}, "templating": {"list": [*COMMON, *dashboard.variables]}, "panels": panels}
