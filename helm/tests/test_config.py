"""The chart and the program agree on the configuration."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

import chart
from test_values import REDIS, SECRET, table

TABLES = {"limits", "plans", "tenants"}
# Values of keys that have no default.
SAMPLES = {
    "base_path": "/t2b",
    "allowed_origins": ["https://app.example.org"],
    "allowed_hosts": ["bots.example.org"],
    "trusted_proxies": ["10.0.0.0/8", "fd00::/8"],
    "sockets_max": 1000,
    "default_plan": "free",
    "memory_max": "256MiB",
    "store_bytes": "64MiB",
    # A reserved key takes only its default, which is nothing.
    "data_dir": None,
    "limits": {"messages_per_second": 1000, "frame_bytes": "128KiB"},
    "plans": {"free": {"limits": {"bots_per_tenant": 5}, "month": {"bytes_out": {"hard": "1GiB", "soft": 1000000}}}},
    "tenants": {"a.b-c": {"plan": "free", "key_generation": 1, "suspended": False}},
}
# Files that Secrets hold, below the folder that the pods mount them in.
FILES = {
    "secrets/secrets": "0123456789abcdef" * 4 + "\n",
    "secrets/admin-token": "0123456789abcdef01234567\n",
    "redis/url": "rediss://user:password@redis:6379/0\n",
}


def documented():
    """Keys of docs/configuration.md with their defaults."""
    text = (chart.ROOT / "docs" / "configuration.md").read_text()
    text = text.split("<!-- generated: config -->")[1].split("<!-- end -->")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `?([^`|]*?)`? \|", text, re.MULTILINE))


def schema_keys():
    """Keys that may be set below config, and keys that the schema knows only to have them refused by name."""
    schema = json.loads((chart.CHART / "values.schema.json").read_text())
    keys = schema["properties"]["config"]["properties"]
    refused = {name for name, rule in keys.items() if rule == {"$ref": "#/$defs/renamed"}}
    return keys.keys() - refused, refused


def sample(name, default):
    if name in SAMPLES:
        return SAMPLES[name]
    assert default, f"give {name} a value in SAMPLES"
    words = {"true": True, "false": False}
    if default in words:
        return words[default]
    number = re.fullmatch(r"[0-9.]+", default)
    return json.loads(default) if number else default


def program():
    path = chart.ROOT / os.environ.get("T2B_PROGRAM", "target/debug/t2b")
    if path.exists():
        return str(path)
    if os.environ.get("TEST_REQUIRE_TOOLS") == "1":
        raise AssertionError(f"{path} is missing; set T2B_PROGRAM to the program t2b")
    raise unittest.SkipTest(f"{path} is missing")


def effective(items):
    """What the program of the first gateway makes of its configuration: exit code and output."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in FILES.items():
            write(root / "etc" / name, text)
        text = chart.toml(items).replace("/etc/t2b/", f"{folder}/etc/").replace("/var/lib/t2b", f"{folder}/state")
        for path in re.findall(rf'"({re.escape(folder)}/etc/[^"]+)\.crt"', text):
            write_certificate(pathlib.Path(path))
        write(root / "t2b.toml", text)
        done = subprocess.run(
            [program(), "gateway", "config"],
            env={**environment(items), "T2B_CONFIG": str(root / "t2b.toml")},
            capture_output=True, text=True, timeout=30,
        )
        return done.returncode, done.stdout + done.stderr


def write_certificate(path):
    """A certificate for itself and its key: PATH.crt and PATH.key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=t2b"]
    made += ["-keyout", f"{path}.key", "-out", f"{path}.crt"]
    subprocess.run(made, check=True, capture_output=True)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o440)


def environment(items):
    for item, template in chart.pods(items):
        if item["metadata"]["labels"]["app.kubernetes.io/component"] == "gateway":
            container = template["spec"]["containers"][0]
            return {one["name"]: one["value"] for one in container["env"] if "value" in one}
    raise AssertionError("there is no gateway")


class Config(unittest.TestCase):
    def test_the_schema_has_each_key_of_the_program_and_no_other(self):
        allowed, refused = schema_keys()
        self.assertEqual((allowed - TABLES) | refused, documented().keys())

    def test_a_refused_key_is_named_with_the_value_to_use(self):
        _, refused = schema_keys()
        fixes = table("t2b.ownedKeys")
        self.assertEqual(refused, fixes.keys())
        errors = chart.refusal({**REDIS, "config": dict.fromkeys(refused, "x")})
        for name, fix in fixes.items():
            with self.subTest(name):
                self.assertIn(f"config.{name} is set by the chart: {fix}", errors)

    def test_the_program_takes_each_key_from_the_values(self):
        allowed, _ = schema_keys()
        defaults = documented()
        samples = {name: sample(name, defaults.get(name)) for name in allowed}
        config = {name: value for name, value in samples.items() if value is not None}
        code, output = effective(chart.render({**REDIS, "config": config}))
        self.assertEqual(code, 0, output)
        for name in config.keys() - TABLES:
            with self.subTest(name):
                self.assertRegex(output, rf"(?m)^{name} = .*# .*t2b\.toml")

    def test_the_program_takes_each_profile(self):
        for name in chart.PROFILES:
            with self.subTest(name):
                code, output = effective(chart.objects(name))
                self.assertEqual(code, 0, output)

    def test_the_program_refuses_a_wrong_value(self):
        code, output = effective(chart.render({**SECRET, "config": {"heartbeat": "25h"}}))
        self.assertEqual(code, 64, output)
        self.assertIn("heartbeat", output)

    def test_numbers_and_texts_arrive_as_they_are(self):
        config = {
            "sockets_max": 10_000_000,
            "trace_sample": 0.001,
            "cluster_name": "a",
            "redis_prefix": 'quote"back\\slash',
            "allowed_origins": ["https://bücher.example", "a<b>&c"],
            "tenants": {"a b": {"key_generation": 1}},
        }
        text = chart.toml(chart.render({**SECRET, "config": config}))
        for line in (
            "sockets_max = 10000000",
            "trace_sample = 0.001",
            'redis_prefix = "quote\\"back\\\\slash"',
            'allowed_origins = ["https://bücher.example", "a<b>&c"]',
            '[tenants."a b"]\nkey_generation = 1',
        ):
            self.assertIn(line, text)

    def test_the_config_of_the_values_is_whole_in_the_file(self):
        config = chart.parse(pathlib.Path(chart.profile("everything")).read_text())[0]["config"]
        read = tomllib.loads(chart.toml(chart.objects("everything")))
        for name, value in config.items():
            with self.subTest(name):
                self.assertEqual(read[name], value)
