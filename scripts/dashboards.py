"""Asks a Prometheus every query of deploy/grafana, and draws the dashboards.

Usage: scripts/dashboards.py URL SECONDS FOLDER

Fails if a rule does not evaluate, or if a query of a panel has no data within the last SECONDS.
"""

import json
import math
import pathlib
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as pyplot
from matplotlib.ticker import FuncFormatter

COLUMNS = 3
LEGEND_MAX = 8
# Grafana replaces these in a query. `$tenant` is the tenant with the most messages.
VARIABLES = {"$__rate_interval": "20s", "$instance": ".*"}
BUSIEST = 'topk(1, sum by (tenant) (t2b_tenant_messages_total{tenant!="_other"}))'


def ask(url, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}{path}?{query}", timeout=30) as answer:
        return json.load(answer)["data"]


def faulty_rules(url):
    """The rules that do not evaluate, each with its error."""
    rules = [rule for group in ask(url, "/api/v1/rules")["groups"] for rule in group["rules"]]
    faulty = [f"{rule['name']}: {rule.get('lastError') or rule['health']}" for rule in rules if rule["health"] != "ok"]
    return len(rules), faulty


def busiest_tenant(url, end):
    found = ask(url, "/api/v1/query", query=BUSIEST, time=end)["result"]
    return found[0]["metric"]["tenant"] if found else ""


def lines_of(url, target, variables, begin, end):
    """The lines of a query: legend, times, values; values that are no number are left out."""
    query = target["expr"]
    for name, value in variables.items():
        query = query.replace(name, value)
    found = ask(url, "/api/v1/query_range", query=query, start=begin, end=end, step=2)["result"]
    lines = []
    for series in found:
        points = [(at - begin, float(value)) for at, value in series["values"]]
        points = [point for point in points if math.isfinite(point[1])]
        legend = target["legendFormat"]
        for label, value in series["metric"].items():
            legend = legend.replace("{{%s}}" % label, value)
        if points:
            lines.append((legend, *zip(*points)))
    return lines


def scaled(value, steps, suffix):
    for factor, prefix in steps:
        if abs(value) >= factor:
            return f"{value / factor:.4g} {prefix}{suffix}"
    return f"{value:.3g} {suffix}".strip()


BINARY = [(2**30, "Gi"), (2**20, "Mi"), (2**10, "Ki")]
UNITS = {
    "short": lambda value: scaled(value, [(1e6, "M"), (1e3, "k")], ""),
    "ops": lambda value: scaled(value, [(1e6, "M"), (1e3, "k")], "/s"),
    "bytes": lambda value: scaled(value, BINARY, "B"),
    "Bps": lambda value: scaled(value, BINARY, "B/s"),
    "s": lambda value: scaled(value, [(1, ""), (1e-3, "m"), (1e-6, "µ")], "s") if value else "0",
    "percentunit": lambda value: f"{value * 100:.4g} %",
}


def draw(axes, panel, lines):
    for legend, times, values in lines:
        axes.plot(times, values, linewidth=1, label=legend)
    axes.set_title(panel["title"], fontsize=9)
    unit = panel["fieldConfig"]["defaults"]["unit"]
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: UNITS[unit](value)))
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    if len(lines) <= LEGEND_MAX:
        axes.legend(fontsize=5, loc="best")


def dashboard(url, path, variables, begin, end, folder):
    """Draws one; returns how many panels it has, and the queries without data."""
    file = json.loads(path.read_text())
    rows = math.ceil(len(file["panels"]) / COLUMNS)
    figure, grid = pyplot.subplots(rows, COLUMNS, figsize=(15, 3 * rows), squeeze=False)
    empty = []
    for axes in grid.flat[len(file["panels"]):]:
        axes.axis("off")
    for axes, panel in zip(grid.flat, file["panels"]):
        lines = []
        for target in panel["targets"]:
            found = lines_of(url, target, variables, begin, end)
            if not found:
                empty.append(f"{file['title']}: {panel['title']}: {target['expr']}")
            lines += found
        draw(axes, panel, lines)
    figure.suptitle(file["title"])
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    figure.savefig(folder / f"{path.stem}.png", dpi=110)
    return len(file["panels"]), empty


def main():
    url, seconds, folder = sys.argv[1], float(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    end = time.time()
    rules, problems = faulty_rules(url)
    panels = 0
    variables = VARIABLES | {"$tenant": busiest_tenant(url, end)}
    for path in sorted(pathlib.Path("deploy/grafana").glob("*.json")):
        count, empty = dashboard(url, path, variables, end - seconds, end, folder)
        panels += count
        problems += [f"no data: {query}" for query in empty]
    for problem in problems:
        print(f"dashboards: {problem}", file=sys.stderr)
    print(f"dashboards: {rules} rules, {panels} panels, {len(problems)} to mend; see {folder}/*.png")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
