"""The rendered trial as processes: two gateways and a Redis on loopback, the probes, the pods of helm test, and the end.

There is no kubelet here. What a kubelet would do with the rendered fields, this file does: files instead of volumes, free ports instead of
addresses of pods.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

import chart
from test_config import FILES, program, write
from test_invariants import gateway

# Longest wait for anything; a start takes below a second.
WAIT_S = 30


def redis_server():
    path = os.environ.get("TEST_REDIS", str(chart.ROOT / ".cache" / "redis" / "redis-server"))
    if pathlib.Path(path).exists():
        return path
    if os.environ.get("TEST_REQUIRE_TOOLS") == "1":
        raise AssertionError(f"{path} is missing; run: scripts/tools.sh redis")
    raise unittest.SkipTest(f"{path} is missing")


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def wait_for(what, condition, log=None):
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {WAIT_S} s; {log.read_text() if log else ''}")
        time.sleep(0.02)


class Trial(unittest.TestCase):
    def setUp(self):
        self.program = program()
        self.redis = redis_server()
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        # Nobody is connected: the drain need not take long.
        values = chart.parse(pathlib.Path(chart.profile("trial")).read_text())[0]
        values["config"] = {"drain_wait": "100ms", "drain_window": "100ms", "drain_deadline": "10s"}
        self.items = chart.render(values)

    def start(self, command, **options):
        log = (self.folder / f"log-{len(list(self.folder.glob('log-*')))}").open("w+")
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **options)
        self.addCleanup(log.close)
        self.addCleanup(self.end, process)
        return process, pathlib.Path(log.name)

    def end(self, process):
        if process.poll() is None:
            process.kill()
            process.wait()

    def start_valkey(self):
        """The container of the StatefulSet, with a Redis of this machine."""
        template = chart.of_kind(self.items, "StatefulSet", "t2b-valkey")[0]["spec"]["template"]
        command = template["spec"]["containers"][0]["command"]
        command = [str(self.folder) if part == "/data" else part for part in command[1:]]
        port = free_port()
        process, log = self.start([self.redis, *command, "--port", str(port), "--bind", "127.0.0.1"])
        wait_for("Redis", lambda: process.poll() is not None or "eady to accept" in log.read_text(), log)
        self.assertIsNone(process.poll(), log.read_text())
        return port

    def start_gateway(self, name, redis_port):
        """The container of the Deployment. Answers process, configuration file, public and admin address."""
        root = self.folder / name
        for path, text in FILES.items():
            write(root / "etc" / path, text)
        text = chart.toml(self.items).replace("/etc/t2b/", f"{root}/etc/").replace("/var/lib/t2b", f"{root}/state")
        text = text.replace("[::]:3000", "127.0.0.1:0").replace("[::]:9464", "127.0.0.1:0")
        text = text.replace("redis://t2b-valkey:6379", f"redis://127.0.0.1:{redis_port}")
        write(root / "t2b.toml", text)
        container = gateway(self.items)["spec"]["template"]["spec"]["containers"][0]
        process, log = self.start([self.program, *container["args"]], env={"T2B_CONFIG": str(root / "t2b.toml")})
        listens = re.compile(r'"message":"listening","url":"ws://([^/]+)/ws","admin":"([^"]+)"')
        wait_for("the gateway", lambda: process.poll() is not None or listens.search(log.read_text()), log)
        self.assertIsNone(process.poll(), log.read_text())
        public, admin = listens.search(log.read_text()).groups()
        for probe in ("startup", "liveness", "readiness"):
            path = container[f"{probe}Probe"]["httpGet"]["path"]
            wait_for(path, lambda url=f"http://{admin}{path}": status(url) == 200, log)
        return process, root / "t2b.toml", public, admin

    def run_program(self, *arguments, **variables):
        return subprocess.run([self.program, *arguments], env=variables, capture_output=True, text=True, timeout=WAIT_S)

    def test_it_starts_passes_helm_test_and_ends(self):
        redis_port = self.start_valkey()
        gateways = [self.start_gateway(name, redis_port) for name in ("one", "two")]
        _, config, public, admin = gateways[0]

        issued = self.run_program("keys", "issue", "alice", T2B_CONFIG=str(config))
        self.assertEqual(issued.returncode, 0, issued.stderr)
        write(self.folder / "secrets" / "api-key", issued.stdout)
        write(self.folder / "secrets" / "admin-token", FILES["secrets/admin-token"])

        pods = chart.of_kind(self.items, "Pod")
        self.assertEqual([pod["metadata"]["name"] for pod in pods], ["t2b-test-connect", "t2b-test-status"])
        for pod in pods:
            self.check_test_pod(pod["spec"]["containers"][0], public, admin)

        for process, *_ in gateways:
            process.send_signal(signal.SIGTERM)
        grace = gateway(self.items)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        for process, *_ in gateways:
            self.assertEqual(process.wait(timeout=grace), 0)

    def check_test_pod(self, container, public, admin):
        """Its command succeeds, and fails if nothing listens at the address."""
        nobody = f"127.0.0.1:{free_port()}"
        for there, wanted in ((True, 0), (False, 69)):
            arguments = [
                part.replace("$(T2B_ADMIN_SERVICE_HOST):9464", admin if there else nobody)
                .replace("t2b.t2b.svc:80", public if there else nobody)
                .replace("/etc/t2b/secrets", str(self.folder / "secrets"))
                for part in container["args"]
            ]
            env = {one["name"]: one["value"].replace("/etc/t2b/secrets", str(self.folder / "secrets"))
                   for one in container.get("env", [])}
            done = self.run_program(*arguments, **env)
            self.assertEqual(done.returncode, wanted, f"{arguments}: {done.stdout}{done.stderr}")
