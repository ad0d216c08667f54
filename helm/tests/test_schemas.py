"""Each profile: helm lint, and objects that Kubernetes takes without an unknown field."""

import functools
import importlib.resources
import json
import pathlib
import re
import unittest

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

import chart

SCHEMAS = pathlib.Path(str(importlib.resources.files("kubernetes_validate"))) / "kubernetes-json-schema"
# Fields of the other kinds that the chart writes, and no others: a new field is added here once you have looked it up.
OTHERS = json.loads((chart.TESTS / "crds.json").read_text())


@functools.cache
def registry(kubernetes):
    text = (SCHEMAS / f"v{kubernetes}.0-local-strict" / "_definitions.json").read_text()
    definitions = Resource(contents=json.loads(text), specification=DRAFT202012)
    return Registry().with_resource("_definitions.json", definitions)


@functools.cache
def validator(kubernetes, api_version, kind):
    name = f"{api_version} {kind}"
    if name in OTHERS["kinds"]:
        schema = {**OTHERS["kinds"][name], "$defs": OTHERS["$defs"]}
        return jsonschema.Draft202012Validator(schema)
    version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    path = SCHEMAS / f"v{kubernetes}.0-local-strict" / f"{kind.lower()}-{version}.json"
    if not path.exists():
        raise AssertionError(f"Kubernetes {kubernetes} has no {name}, and crds.json has none either")
    return jsonschema.Draft202012Validator(json.loads(path.read_text()), registry=registry(kubernetes))


def problems(items, kubernetes):
    """What the schemas of this version of Kubernetes say against the objects."""
    found = []
    for item in items:
        for error in validator(kubernetes, item["apiVersion"], item["kind"]).iter_errors(item):
            where = "/".join(map(str, error.absolute_path))
            found.append(f"{chart.label(item)}: {where}: {error.message[:300]}")
    return found


class Schemas(unittest.TestCase):
    def test_each_profile_passes_helm_lint(self):
        for name in chart.PROFILES:
            with self.subTest(name):
                code, out, errors = chart.helm("lint", "--strict", str(chart.CHART), "--values", chart.profile(name))
                self.assertEqual(code, 0, out + errors)

    def test_kubernetes_takes_each_object(self):
        for kubernetes in chart.KUBERNETES:
            for name in chart.PROFILES:
                with self.subTest(f"{name} on {kubernetes}"):
                    self.assertEqual(problems(chart.objects(name, kubernetes), kubernetes), [])

    def test_an_unknown_field_is_found(self):
        for item in chart.objects("everything") + chart.objects("tls") + chart.objects("ha"):
            with self.subTest(chart.label(item)):
                field = "spec" if "spec" in item else "metadata"
                wrong = {**item, field: {**item[field], "colour": "red"}}
                self.assertNotEqual(problems([wrong], chart.KUBERNETES[0]), [])

    def test_an_older_kubernetes_is_refused(self):
        code, _, errors = chart.helm(
            "template", "t2b", str(chart.CHART), "--kube-version", "1.29", "--values", chart.profile("single"))
        self.assertNotEqual(code, 0)
        self.assertIn(">=1.30.0-0", errors)
