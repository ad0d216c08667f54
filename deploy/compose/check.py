"""Checks compose.yaml against the Compose specification, and what it names: files, secrets, networks.

Usage: check.py FILE SERVICE   prints the environment of SERVICE, one NAME=VALUE a line
"""

import os
import re
import sys

import compose_spec
import yaml

file, wanted = sys.argv[1:]
here = os.path.dirname(os.path.abspath(file))
with open(os.path.join(here, ".env"), encoding="utf-8") as lines:
    values = dict(line.rstrip("\n").split("=", 1) for line in lines)
with open(file, encoding="utf-8") as text:
    text = text.read()


def value(match):
    """The value of ${NAME}, ${NAME:-default} or ${NAME:?error}."""
    name, default = re.fullmatch(r"(\w+)(?::[-?](.*))?", match[1]).groups()
    return values.get(name, default or "")


text = re.sub(r"\$\{([^}]*)\}", value, text)
options = compose_spec.PyOptions(apply_merge=True)
options.from_yaml(text).validate()

compose = yaml.safe_load(text)
missing = []
addresses = {}
for name, service in compose["services"].items():
    for volume in service.get("volumes", []):
        source, target = volume.split(":")[:2]
        if source.startswith("."):
            if not os.path.exists(os.path.join(here, source)):
                missing.append(f"{name}: {source} for {target}")
        elif source not in compose["volumes"]:
            missing.append(f"{name}: volume {source}")
    for secret in service.get("secrets", []):
        if not os.path.isfile(os.path.join(here, compose["secrets"][secret]["file"])):
            missing.append(f"{name}: secret {secret}")
    for entry in service["environment"].values() if "environment" in service else []:
        secret = re.fullmatch(r"/run/secrets/(.+)", str(entry))
        if secret and secret[1] not in service["secrets"]:
            missing.append(f"{name}: {entry} is no secret of it")
    networks = service["networks"]
    if isinstance(networks, dict):
        addresses[name] = networks["t2b"]["ipv4_address"]
# The addresses that the mounted files name are those of the services.
for path, names in {
    "balancers/haproxy.cfg": ["gateway-1", "gateway-2"],
    "compose/prometheus.yml": ["gateway-1", "gateway-2"],
}.items():
    with open(os.path.join(here, path), encoding="utf-8") as mounted:
        mounted = mounted.read()
    missing += [f"{path}: {name} is at {addresses[name]}" for name in names if addresses[name] not in mounted]
if missing:
    sys.exit("compose: missing:\n  " + "\n  ".join(missing))

environment = compose["services"][wanted]["environment"]
for name, entry in environment.items():
    print(f"{name}={entry}")
