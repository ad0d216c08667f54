"""The files of k8s/: a kustomize base, and overlays that differ from it by whole objects and by patches."""

import functools

import yaml

import chart

HEADER = "# Written by `make manifests` from the chart; do not edit.\n"
OVERLAYS = ("trial", "production")
NAMESPACE = "t2b"


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def text_style(dumper, text):
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, text_style)


def dump(items):
    """Several objects as one document each, in a fixed order."""
    ordered = sorted(items, key=lambda item: (item["kind"], item["metadata"]["name"]))
    return HEADER + "---\n".join(
        yaml.dump(item, Dumper=Dumper, sort_keys=False, width=10_000) for item in ordered
    )


@functools.cache
def objects(name):
    """The objects of these values, without what only Helm uses."""
    values = yaml.safe_load((chart.ROOT / "helm" / "k8s" / f"{name}.yaml").read_text())
    items = chart.render(values, "--skip-tests")
    for item in items:
        labels = item["metadata"]["labels"]
        del labels["helm.sh/chart"], labels["app.kubernetes.io/managed-by"]
    return items


def key(item):
    return item["apiVersion"], item["kind"], item["metadata"]["name"]


def pointer(path):
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def step(op, value, path):
    """One operation. The path is last, because kustomize cuts the line end off the end of a patch."""
    return {"op": op, "value": value, "path": pointer(path)}


def operations(old, new, path=()):
    """The JSON patch (RFC 6902) that makes `new` of `old`."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in sorted(old.keys() | new.keys()):
            here = (*path, name)
            if name not in new:
                found.append({"op": "remove", "path": pointer(here)})
            elif name not in old:
                found.append(step("add", new[name], here))
            else:
                found += operations(old[name], new[name], here)
        return found
    if isinstance(old, list) and isinstance(new, list):
        common = min(len(old), len(new))
        found = [one for at in range(common) for one in operations(old[at], new[at], (*path, at))]
        # From the end, so that no index moves.
        found += [{"op": "remove", "path": pointer((*path, at))} for at in reversed(range(common, len(old)))]
        return found + [step("add", item, (*path, "-")) for item in new[common:]]
    return [] if old == new else [step("replace", new, path)]


def kustomization(**fields):
    document = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", **fields}
    return HEADER + yaml.dump(document, Dumper=Dumper, sort_keys=False, width=10_000)


def namespace():
    """Pods that are less restricted than the chart's own are refused."""
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": levels}}


def overlay(name):
    base = {key(item): item for item in objects("base")}
    here = {key(item): item for item in objects(name)}
    new = [item for found, item in here.items() if found not in base]
    patches = []
    for found, item in base.items():
        version, kind, label = found
        group = version.split("/")[0] if "/" in version else ""
        target = {"group": group, "version": version.split("/")[-1], "kind": kind, "name": label}
        if found not in here:
            gone = {"$patch": "delete", "apiVersion": version, "kind": kind, "metadata": {"name": label}}
            patches.append({"patch": yaml.dump(gone, sort_keys=False)})
        elif operations(item, here[found]):
            patch = yaml.dump(operations(item, here[found]), Dumper=Dumper, sort_keys=False, width=10_000)
            patches.append({"target": target, "patch": patch})
    folder = f"k8s/overlays/{name}"
    resources = ["../../base"] + (["objects.yaml"] if new else [])
    fields = {"resources": resources, **({"patches": patches} if patches else {})}
    files = {f"{folder}/kustomization.yaml": kustomization(**fields)}
    if new:
        files[f"{folder}/objects.yaml"] = dump(new)
    return files


def files():
    base = dump([namespace(), *objects("base")])
    written = {
        "k8s/base/kustomization.yaml": kustomization(resources=["objects.yaml"]),
        "k8s/base/objects.yaml": base,
    }
    for name in OVERLAYS:
        written |= overlay(name)
    return written
