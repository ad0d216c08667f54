"""The chart as users take it: as a package, below a parent chart, and with its notes."""

import pathlib
import tarfile
import tempfile
import unittest

import yaml

import chart


def notes(name):
    """What an installation prints, without a cluster."""
    code, text, errors = chart.helm(
        "install", "t2b", str(chart.CHART), "--namespace", "t2b", "--dry-run=client", "--values", chart.profile(name))
    assert code == 0, errors
    return text.split("\nNOTES:\n")[1]


class Package(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def package(self):
        code, _, errors = chart.helm("package", str(chart.CHART), "--destination", str(self.folder))
        self.assertEqual(code, 0, errors)
        return next(self.folder.glob("t2b-*.tgz"))

    def test_the_package_has_the_copies_and_no_profiles(self):
        with tarfile.open(self.package()) as archive:
            names = archive.getnames()
        self.assertIn("t2b/files/rules.yaml", names)
        self.assertIn("t2b/files/dashboards/node.json", names)
        self.assertEqual([name for name in names if name.startswith("t2b/ci/")], [])

    def test_a_parent_chart_can_use_and_switch_it(self):
        parent = self.folder / "parent"
        (parent / "charts").mkdir(parents=True)
        self.package().rename(parent / "charts" / "t2b-0.1.0.tgz")
        dependency = {"name": "t2b", "version": "0.1.0", "condition": "t2b.enabled"}
        meta = {"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [dependency]}
        (parent / "Chart.yaml").write_text(yaml.safe_dump(meta))
        for enabled in (True, False):
            values = {"global": {"team": "a"}, "t2b": {"enabled": enabled, "existingSecret": "t2b"}}
            code, text, errors = chart.helm("template", "bots", str(parent), values=values)
            self.assertEqual(code, 0, errors)
            self.assertEqual(bool(chart.of_kind(chart.parse(text), "StatefulSet", "bots-t2b")), enabled)

    def test_the_notes_name_three_commands(self):
        for name in chart.PROFILES:
            with self.subTest(name):
                lines = [line.strip() for line in notes(name).splitlines()]
                commands = [line for line in lines if line.startswith("kubectl ")]
                self.assertEqual(len(commands), 3)
                kind = "statefulset" if name == "single" else "deployment"
                self.assertIn(f" rollout status {kind}/", commands[0])

    def test_the_notes_warn_of_a_proxy_that_is_not_trusted(self):
        self.assertIn("trusted_proxies is empty", self.notes_of({"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}}))
        self.assertNotIn("trusted_proxies is empty", notes("ha"))

    def notes_of(self, values):
        values = {"existingSecret": "t2b", **values}
        code, text, errors = chart.helm("install", "t2b", str(chart.CHART), "--dry-run=client", values=values)
        self.assertEqual(code, 0, errors)
        return text.split("\nNOTES:\n")[1]
