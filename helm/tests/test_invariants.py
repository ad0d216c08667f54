"""What is true of every rendering."""

import itertools
import re
import unittest

import chart

LABELS = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "component", "version", "managed-by")}
EXTRA = {"t2b-extra"}


def each():
    """(profile, object) of all profiles, without extraObjects."""
    for name in chart.PROFILES:
        for item in chart.objects(name):
            if item["metadata"]["name"] not in EXTRA:
                yield name, item


def each_pod():
    for name, item in each():
        for owner, template in chart.pods([item]):
            yield f"{name}: {chart.label(owner)}", owner, template


def each_container():
    for where, owner, template in each_pod():
        for container in template["spec"]["containers"]:
            yield f"{where}: {container['name']}", template, container


def gateway(items):
    """The workload of the gateways."""
    found = [item for item in items if item["kind"] in ("Deployment", "StatefulSet")
             and item["metadata"]["labels"]["app.kubernetes.io/component"] == "gateway"]
    assert len(found) == 1, f"{len(found)} workloads of gateways"
    return found[0]


def selects(selector, labels):
    return selector.items() <= labels.items()


class Invariants(unittest.TestCase):
    maxDiff = None

    def check(self, pairs):
        """Each (where, is right)."""
        pairs = list(pairs)
        self.assertNotEqual(pairs, [], "nothing was looked at")
        self.assertEqual([where for where, right in pairs if not right], [])

    def test_each_object_has_the_labels_and_the_namespace(self):
        self.check((f"{name}: {chart.label(item)}", LABELS <= item["metadata"]["labels"].keys()
                    and item["metadata"]["namespace"] == "t2b") for name, item in each())

    def test_names_are_short_and_unique(self):
        for name in chart.PROFILES:
            names = [chart.label(item) for item in chart.objects(name)]
            self.assertEqual(len(names), len(set(names)), name)
        long = chart.render({"existingSecret": "t2b", "fullnameOverride": "a" * 60,
                             "metrics": {"dashboards": {"enabled": True}}})
        self.check((chart.label(item), len(item["metadata"]["name"]) <= 63) for item in long)

    def test_each_image_is_a_version(self):
        version = re.compile(r"^[a-z0-9./-]+(:[0-9][\w.-]*|@sha256:[0-9a-f]{64})$")
        self.check((where, version.match(container["image"])) for where, _, container in each_container())

    def test_pods_are_restricted(self):
        """The level `restricted` of the Pod Security Standards."""
        for where, template, container in each_container():
            with self.subTest(where):
                pod, own = template["spec"]["securityContext"], container["securityContext"]
                self.assertIs(pod["runAsNonRoot"], True)
                self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
                self.assertNotEqual(pod.get("runAsUser"), 0)
                self.assertIs(own["allowPrivilegeEscalation"], False)
                self.assertEqual(own["capabilities"], {"drop": ["ALL"]})
                self.assertIs(own["readOnlyRootFilesystem"], True)
                self.assertFalse({"hostNetwork", "hostPID", "hostIPC"} & template["spec"].keys())
                allowed = {"name", "configMap", "secret", "emptyDir"}
                for volume in template["spec"].get("volumes", []):
                    self.assertLessEqual(volume.keys(), allowed)

    def test_openshift_may_choose_the_user(self):
        for _, template in chart.pods(chart.objects("openshift")):
            context = template["spec"]["securityContext"]
            self.assertFalse({"runAsUser", "runAsGroup", "fsGroup"} & context.keys())

    def test_each_container_has_requests_and_a_memory_limit(self):
        self.check((where, {"cpu", "memory"} <= container["resources"]["requests"].keys()
                    and "memory" in container["resources"]["limits"]) for where, _, container in each_container())

    def test_no_token_is_mounted(self):
        self.check((where, template["spec"]["automountServiceAccountToken"] is False)
                   for where, _, template in each_pod())

    def test_no_variable_is_given_twice(self):
        for where, _, container in each_container():
            names = [one["name"] for one in container.get("env", [])]
            self.assertEqual(len(names), len(set(names)), where)

    def test_a_variable_of_the_values_replaces_that_of_the_chart(self):
        values = {"existingSecret": "t2b", "extraEnv": [{"name": "T2B_CONFIG", "value": "/mine"}]}
        env = gateway(chart.render(values))["spec"]["template"]["spec"]["containers"][0]["env"]
        self.assertEqual(env, [{"name": "T2B_CONFIG", "value": "/mine"}])

    def test_each_mount_has_its_volume(self):
        for where, owner, template in each_pod():
            volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
            claims = {claim["metadata"]["name"] for claim in owner["spec"].get("volumeClaimTemplates", [])}
            mounts = {mount["name"] for one in template["spec"]["containers"] for mount in one["volumeMounts"]}
            self.assertEqual(mounts, volumes | claims, where)

    def test_each_file_of_the_configuration_is_mounted(self):
        for name in chart.PROFILES:
            spec = gateway(chart.objects(name))["spec"]["template"]["spec"]
            mounts = [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
            for path in re.findall(r'"(/(?:etc|var)/[^"]+)"', chart.toml(chart.objects(name))):
                with self.subTest(f"{name}: {path}"):
                    self.assertTrue(any(f"{path}/".startswith(f"{mount}/") for mount in mounts))

    def test_secrets_come_by_reference_only(self):
        self.check((f"{name}: {chart.label(item)}", item["kind"] != "Secret") for name, item in each())

    def test_each_selector_finds_pods_of_its_object_only(self):
        for name in chart.PROFILES:
            items = chart.objects(name)
            pods = {chart.label(owner): template["metadata"]["labels"] for owner, template in chart.pods(items)}
            for item in items:
                selector = item.get("spec", {}).get("selector", {})
                selector = selector.get("matchLabels", selector)
                if not selector or item["kind"] == "ServiceMonitor":
                    continue
                found = {where for where, labels in pods.items() if selects(selector, labels)}
                component = item["metadata"]["labels"]["app.kubernetes.io/component"]
                wanted = {chart.label(owner) for owner, _ in chart.pods(items)
                          if owner["metadata"]["labels"]["app.kubernetes.io/component"] == component}
                self.assertEqual(found, wanted, f"{name}: {chart.label(item)}")
                self.assertNotIn("app.kubernetes.io/version", selector)

    def test_probes(self):
        """Liveness never depends on Redis; a start has more time than a slow Redis needs."""
        for name in chart.PROFILES:
            container = gateway(chart.objects(name))["spec"]["template"]["spec"]["containers"][0]
            paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
            self.assertEqual(paths, {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"})
            startup = container["startupProbe"]
            self.assertGreaterEqual(startup["periodSeconds"] * startup["failureThreshold"], 60)
            schemes = {container[f"{kind}Probe"]["httpGet"].get("scheme", "HTTP") for kind in paths}
            self.assertEqual(schemes, {"HTTPS" if "admin_tls_cert" in chart.toml(chart.objects(name)) else "HTTP"})

    def test_the_grace_period_is_longer_than_the_drain(self):
        graces = {name: gateway(chart.objects(name))["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
                  for name in ("ha", "cluster", "everything")}
        self.assertEqual(graces, {"ha": 70, "cluster": 190, "everything": 120})
        self.check((where, "lifecycle" not in container) for where, _, container in each_container())

    def test_replicas_are_left_to_the_autoscaler(self):
        for name in chart.PROFILES:
            items = chart.objects(name)
            scaled = any(item["kind"] in ("HorizontalPodAutoscaler", "ScaledObject") for item in items)
            self.assertEqual("replicas" not in gateway(items)["spec"], scaled, name)

    def test_a_scale_down_removes_few_gateways_a_minute(self):
        for name, item in each():
            if item["kind"] == "HorizontalPodAutoscaler":
                down = item["spec"]["behavior"]["scaleDown"]
            elif item["kind"] == "ScaledObject":
                down = item["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
            else:
                continue
            self.assertEqual(down["policies"], [{"type": "Pods", "value": 1, "periodSeconds": 60}], name)

    def test_a_budget_lets_nodes_drain(self):
        budgets = [item["spec"] for _, item in each() if item["kind"] == "PodDisruptionBudget"]
        self.assertEqual(len(budgets), len(chart.PROFILES))
        for spec in budgets:
            self.assertIn(spec["maxUnavailable"], (1, "20%"))
            self.assertEqual(spec["unhealthyPodEvictionPolicy"], "AlwaysAllow")

    def test_ports_of_services_monitors_and_routes_exist(self):
        for name in chart.PROFILES:
            items = chart.objects(name)
            ports = {port["name"] for _, template in chart.pods(items)
                     for one in template["spec"]["containers"] for port in one.get("ports", [])}
            services = {item["metadata"]["name"]: item["spec"]["ports"] for item in chart.of_kind(items, "Service")}
            for port in itertools.chain.from_iterable(services.values()):
                self.assertIn(port["targetPort"], ports)
            for item in chart.of_kind(items, "PodMonitor"):
                self.assertLessEqual({one["port"] for one in item["spec"]["podMetricsEndpoints"]}, ports)
            for item in chart.of_kind(items, "ServiceMonitor"):
                selector = item["spec"]["selector"]["matchLabels"]
                found = [one for one in chart.of_kind(items, "Service") if selects(selector, one["metadata"]["labels"])]
                self.assertEqual([one["metadata"]["name"] for one in found], ["bots-admin"])
                self.assertEqual({one["port"] for one in item["spec"]["endpoints"]}, {"admin"})
            for item in chart.of_kind(items, "HTTPRoute"):
                backend = item["spec"]["rules"][0]["backendRefs"][0]
                self.assertIn(backend["port"], [port["port"] for port in services[backend["name"]]])
            for item in chart.of_kind(items, "Ingress"):
                backend = item["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
                self.assertIn(backend["port"]["name"], [port["name"] for port in services[backend["name"]]])

    def test_an_ingress_has_the_timeouts_of_its_controller(self):
        keys = {
            "nginx": "nginx.ingress.kubernetes.io/proxy-read-timeout",
            "haproxy": "haproxy.org/timeout-tunnel",
            "contour": "projectcontour.io/response-timeout",
            "alb": "alb.ingress.kubernetes.io/load-balancer-attributes",
        }
        for controller, key in keys.items():
            for own in ({}, {key: "mine"}):
                with self.subTest(f"{controller} {own}"):
                    values = {"enabled": True, "hosts": ["a.example"], "controller": controller, "annotations": own}
                    ingress = chart.of_kind(chart.render({"existingSecret": "t2b", "ingress": values}), "Ingress")[0]
                    self.assertIn(key, ingress["metadata"]["annotations"])
                    self.assertEqual(ingress["metadata"]["annotations"][key] == "mine", bool(own))

    def test_monitors_read_both_pages(self):
        pages = {name: [one["path"] for one in item["spec"].get("podMetricsEndpoints") or item["spec"]["endpoints"]]
                 for name, item in each() if item["kind"] in ("PodMonitor", "ServiceMonitor")}
        self.assertEqual(set(pages), {"ha", "tls", "everything"})
        self.check((name, paths == ["/metrics", "/metrics/tenants"]) for name, paths in pages.items())

    def test_the_network_policy_covers_each_port(self):
        for name in chart.PROFILES:
            items = chart.objects(name)
            for owner, template in chart.pods(items):
                if owner["kind"] == "Pod":
                    continue
                policies = [item["spec"] for item in chart.of_kind(items, "NetworkPolicy") if selects(
                    item["spec"]["podSelector"]["matchLabels"], template["metadata"]["labels"])]
                self.assertEqual(len(policies), 1, f"{name}: {chart.label(owner)}")
                self.assertEqual(policies[0]["policyTypes"], ["Ingress", "Egress"])
                covered = {port["port"] for rule in policies[0]["ingress"] for port in rule["ports"]}
                ports = {port["containerPort"] for one in template["spec"]["containers"] for port in one["ports"]}
                self.assertEqual(covered, ports, f"{name}: {chart.label(owner)}")

    def test_gateways_may_ask_each_other_by_datagrams(self):
        items = chart.objects("ha")
        policies = [item["spec"] for item in chart.of_kind(items, "NetworkPolicy")]
        asked = {"port": 9464, "protocol": "UDP"}
        for way, peers in (("ingress", "from"), ("egress", "to")):
            rules = [rule for policy in policies for rule in policy[way] if asked in rule["ports"]]
            self.assertEqual(len(rules), 1, way)
            self.assertTrue(all("podSelector" in peer for peer in rules[0][peers]), way)

    def test_a_change_of_the_chart_alone_restarts_no_gateway(self):
        """The pod template names no version of the chart, and the checksum is of the configuration only."""
        for where, owner, template in each_pod():
            if owner["kind"] != "Pod":
                self.assertNotIn("helm.sh/chart", template["metadata"]["labels"], where)
        values = {"existingSecret": "t2b"}
        sums = [gateway(chart.render({**values, **more}))["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
                for more in ({}, {"commonLabels": {"a": "b"}}, {"config": {"log": "debug"}})]
        self.assertEqual(sums[0], sums[1])
        self.assertNotEqual(sums[0], sums[2])
