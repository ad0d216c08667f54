#!/usr/bin/env python3
"""Writes the generated files of helm/ and k8s/, or with --check names those that are stale.

| file | made from |
| --- | --- |
| helm/t2b/files/ | deploy/prometheus/rules.yaml, deploy/grafana/ |
| the table in helm/t2b/README.md | the comments of helm/t2b/values.yaml |
| helm/tests/snapshots/ | the chart, with the profiles single and ha |
| k8s/ | the chart, with the values in helm/k8s/ |
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "tests"))
import chart  # noqa: E402
import overlays  # noqa: E402
from table import values_table  # noqa: E402

BEGIN = "<!-- generated: values -->"
END = "<!-- end -->"
# Files in the generated folders that somebody writes.
KEPT = ("README.md", "immutable.json")


def copies():
    """Helm reads no file outside of the chart."""
    rules = chart.ROOT / "deploy" / "prometheus" / "rules.yaml"
    files = {"helm/t2b/files/rules.yaml": rules.read_text()}
    for path in sorted((chart.ROOT / "deploy" / "grafana").glob("*.json")):
        files[f"helm/t2b/files/dashboards/{path.name}"] = path.read_text()
    return files


def readme():
    text = (chart.CHART / "README.md").read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    table = values_table((chart.CHART / "values.yaml").read_text())
    return {"helm/t2b/README.md": f"{before}{BEGIN}\n{table}{END}{after}"}


def snapshots():
    """Renderings to review in a diff. Rules are left out: they are in deploy/ already."""
    files = {}
    for name in ("single", "ha"):
        items = [item for item in chart.objects(name) if item["kind"] != "PrometheusRule"]
        files[f"helm/tests/snapshots/{name}.yaml"] = overlays.dump(items)
    return files


def rendered():
    return {**readme(), **snapshots(), **overlays.files()}


def stale(files):
    """Files that differ from what is generated, and files that nothing generates."""
    found = []
    for name, text in files.items():
        path = chart.ROOT / name
        if not path.exists() or path.read_text() != text:
            found.append(name)
    for folder in ("helm/t2b/files", "helm/tests/snapshots", "k8s"):
        for path in sorted((chart.ROOT / folder).rglob("*")):
            name = str(path.relative_to(chart.ROOT))
            if path.is_file() and name not in files and path.name not in KEPT:
                found.append(name)
    return found


def write(files):
    for name, text in files.items():
        path = chart.ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main():
    if "--check" in sys.argv[1:]:
        names = stale({**copies(), **rendered()})
        for name in names:
            print(f"{name} is stale; run: make manifests")
        return 1 if names else 0
    # The copies first: the rest is rendered from them.
    write(copies())
    files = rendered()
    write(files)
    for name in stale({**copies(), **files}):
        (chart.ROOT / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
