"""Generated files are current, renderings are the same each time, and what must never change is as it was."""

import json
import pathlib
import subprocess
import sys
import unittest

import yaml

import chart
import overlays
import table
from test_schemas import problems

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import generate  # noqa: E402

FIXED = chart.TESTS / "snapshots" / "immutable.json"
# Kubernetes refuses an update of these fields, and an object with another name is another object.
FIELDS = {
    "Deployment": ("selector",),
    "StatefulSet": ("selector", "serviceName", "volumeClaimTemplates"),
    "Service": ("selector", "type"),
    "PodDisruptionBudget": ("selector",),
}


def fixed(items):
    """Name and immutable fields of each object."""
    found = {}
    for item in items:
        spec = item.get("spec") or {}
        found[chart.label(item)] = {name: spec[name] for name in FIELDS.get(item["kind"], ())}
    return found


class Generated(unittest.TestCase):
    def test_no_generated_file_is_stale(self):
        files = {**generate.copies(), **generate.rendered()}
        self.assertEqual(generate.stale(files), [], "run: make manifests")

    def test_each_value_has_a_comment(self):
        text = (chart.CHART / "values.yaml").read_text()
        self.assertEqual(table.undocumented(text), [])

    def test_two_renderings_are_the_same(self):
        for name in ("everything", "trial"):
            first = chart.rendered.__wrapped__(name)
            self.assertEqual(first, chart.rendered.__wrapped__(name))

    def test_the_versions_are_those_of_the_program(self):
        cargo = (chart.ROOT / "Cargo.toml").read_text()
        version = cargo.split('\nversion = "')[1].split('"')[0]
        meta = chart.parse((chart.CHART / "Chart.yaml").read_text())[0]
        self.assertEqual(meta["appVersion"], version)

    def test_rules_and_dashboards_arrive_as_they_are(self):
        items = chart.objects("everything")
        rules = yaml.load((chart.ROOT / "deploy" / "prometheus" / "rules.yaml").read_text(), Loader=chart.LOADER)
        self.assertEqual(chart.of_kind(items, "PrometheusRule")[0]["spec"], rules)
        paths = list((chart.ROOT / "deploy" / "grafana").glob("*.json"))
        self.assertNotEqual(paths, [])
        for path in paths:
            data = chart.of_kind(items, "ConfigMap", f"bots-{path.stem}")[0]["data"]
            self.assertEqual(data[path.name].strip(), path.read_text().strip())

    def test_names_and_immutable_fields_are_as_before(self):
        before = json.loads(FIXED.read_text())
        for name, was in before.items():
            now = fixed(chart.objects(name))
            for item, fields in was.items():
                with self.subTest(f"{name}: {item}"):
                    self.assertIn(item, now, "an upgrade would delete it")
                    self.assertEqual(now[item], fields, "Kubernetes would refuse the upgrade")


class Kustomize(unittest.TestCase):
    def build(self, folder):
        command = [chart.tool("kubectl"), "kustomize", str(chart.ROOT / "k8s" / folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return chart.parse(done.stdout)

    def test_each_overlay_is_what_the_chart_renders(self):
        for folder, name in (("base", "base"), ("overlays/trial", "trial"), ("overlays/production", "production")):
            with self.subTest(folder):
                built = {overlays.key(item): item for item in self.build(folder)}
                del built[("v1", "Namespace", overlays.NAMESPACE)]
                self.assertEqual(built, {overlays.key(item): item for item in overlays.objects(name)})

    def test_kubernetes_takes_each_overlay(self):
        for folder in ("base", "overlays/trial", "overlays/production"):
            for kubernetes in chart.KUBERNETES:
                with self.subTest(f"{folder} on {kubernetes}"):
                    self.assertEqual(problems(self.build(folder), kubernetes), [])


if __name__ == "__main__":
    # Writes the file, for the first release and for a change that a release note explains.
    kept = {name: fixed(chart.objects(name)) for name in ("single", "trial", "ha")}
    FIXED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
