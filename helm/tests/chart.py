"""Renders the chart. Each rendering is made once, because most tests look at the same ones."""

import functools
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "t2b"
TESTS = ROOT / "helm" / "tests"
KUBERNETES = ("1.30", "1.37")
PROFILES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def tool(name):
    """The program `name` of .cache/helm, or the one that the variable HELM or KUBECTL names."""
    return os.environ.get(name.upper()) or str(ROOT / ".cache" / "helm" / name)


def profile(name):
    return str(CHART / "ci" / f"{name}.yaml")


def helm(*arguments, values=None):
    """Runs helm; `values` are more values, as a document. Returns exit code, output and errors."""
    command = [tool("helm"), *arguments]
    text = None
    if values is not None:
        command += ["--values", "-"]
        text = yaml.safe_dump(values)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@functools.cache
def rendered(name, kubernetes=KUBERNETES[-1]):
    """The manifests of a profile, as text."""
    code, text, errors = helm(
        "template", "t2b", str(CHART), "--namespace", "t2b",
        "--kube-version", kubernetes, "--values", profile(name),
    )
    assert code == 0, f"profile {name}: {errors}"
    return text


def parse(text):
    return [item for item in yaml.load_all(text, Loader=LOADER) if item]


@functools.cache
def objects(name, kubernetes=KUBERNETES[-1]):
    """The objects of a profile. Do not change them."""
    return parse(rendered(name, kubernetes))


def render(values, *arguments):
    """The objects of these values; fails if the chart refuses them."""
    code, text, errors = helm("template", "t2b", str(CHART), "--namespace", "t2b", *arguments, values=values)
    assert code == 0, errors
    return parse(text)


def refusal(values):
    """The errors of values that the chart must refuse."""
    code, _, errors = helm("template", "t2b", str(CHART), values=values)
    assert code != 0, f"the chart accepts {values}"
    return errors


def of_kind(items, kind, name=None):
    return [item for item in items if item["kind"] == kind and name in (None, item["metadata"]["name"])]


def label(item):
    return f"{item['kind']}/{item['metadata']['name']}"


def pods(items):
    """Each pod or pod template, with the object that it belongs to."""
    for item in items:
        if item["kind"] == "Pod":
            yield item, item
        elif item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            yield item, item["spec"]["template"]


def toml(items):
    """The configuration file of the gateways."""
    for item in of_kind(items, "ConfigMap"):
        if "t2b.toml" in item["data"]:
            return item["data"]["t2b.toml"]
    raise AssertionError("there is no t2b.toml")
