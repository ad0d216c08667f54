"""Values that the chart refuses: each refusal says what to do."""

import json
import re
import unittest

import chart

SECRET = {"existingSecret": "t2b"}
REDIS = {**SECRET, "redis": {"url": "redis://redis:6379"}}
MONITOR = {"podMonitor": {"enabled": True}}

# (values, a part of the error)
BAD = [
    ({}, "existingSecret is required: create a Secret"),
    ({**SECRET, "replicaCount": 3}, "there is no Redis: set redis.url"),
    ({**SECRET, "autoscaling": {"enabled": True}}, "autoscaling needs Redis"),
    ({**REDIS, "replicaCount": 3, "autoscaling": {"enabled": True}}, "remove replicaCount"),
    ({**REDIS, "autoscaling": {"enabled": True, "cpuPercent": None}}, "needs autoscaling.cpuPercent or"),
    ({**REDIS, "autoscaling": {"enabled": True, "minReplicas": 11}}, "raise maxReplicas"),
    ({**REDIS, "autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}, "set that, or set"),
    ({**REDIS, "keda": {"enabled": True}}, "keda.enabled needs keda.prometheusUrl"),
    ({**REDIS, "keda": {"enabled": True}, "autoscaling": {"enabled": True}}, "both scale the gateways"),
    ({**REDIS, "podDisruptionBudget": {"maxUnavailable": 0}}, "blocks every eviction"),
    ({**REDIS, "podDisruptionBudget": {"maxUnavailable": "0%"}}, "blocks every eviction"),
    ({**REDIS, "podDisruptionBudget": {"minAvailable": 3}}, "blocks every eviction"),
    ({**REDIS, "podDisruptionBudget": {"minAvailable": "90%"}}, "blocks every eviction"),
    ({**SECRET, "podDisruptionBudget": {"minAvailable": 1}}, "blocks every eviction"),
    ({**REDIS, "terminationGracePeriodSeconds": 69}, "set it to 70 or more"),
    ({**REDIS, "terminationGracePeriodSeconds": 99, "config": {"drain_deadline": "90s"}}, "set it to 100 or more"),
    ({**REDIS, "config": {"drain_window": "1m"}}, "raise config.drain_deadline"),
    ({**REDIS, "config": {"drain_deadline": "30s"}}, "raise config.drain_deadline"),
    ({**REDIS, "valkey": {"enabled": True}}, "name different Redis servers: keep one"),
    ({**SECRET, "redis": {"url": "redis://:pw@redis"}}, "put the URL into a Secret"),
    ({**SECRET, "redis": {"url": "redis:6379"}}, "/redis/url"),
    ({"externalSecret": {"enabled": True}}, "externalSecret.enabled needs"),
    ({**REDIS, "tls": {"enabled": True}}, "tls.enabled needs"),
    ({**REDIS, "tls": {"certManager": {"enabled": True}}}, "tls.certManager.enabled needs"),
    ({**REDIS, "ingress": {"enabled": True}}, "ingress.enabled needs ingress.hosts"),
    ({**REDIS, "httpRoute": {"enabled": True}}, "httpRoute.enabled needs"),
    ({**REDIS, "metrics": {**MONITOR, "serviceMonitor": {"enabled": True}}}, "count each gateway twice"),
    ({**REDIS, "metrics": MONITOR, "networkPolicy": {"adminFrom": []}}, "keeps Prometheus out"),
    ({**REDIS, "resources": {"limits": None}}, "set resources.limits.memory"),
    ({**REDIS, "maxSurge": 0}, "maxSurge 0 stops every rollout"),
    ({**REDIS, "image": {"tag": "latest"}}, "/image/tag"),
    ({**REDIS, "ipFamily": "ipv5"}, "/ipFamily"),
    ({**REDIS, "podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels has the label app.kubernetes.io/name"),
    ({**REDIS, "commonLabels": {"helm.sh/chart": "x"}}, "commonLabels has the label helm.sh/chart"),
    ({**REDIS, "colour": "red"}, "'colour' not allowed"),
    ({**REDIS, "ingress": {"colour": "red"}}, "'colour' not allowed"),
    ({**REDIS, "config": {"colour": "red"}}, "'colour' not allowed"),
    ({**REDIS, "config": {"heartbeat": "25"}}, "/config/heartbeat"),
    ({**REDIS, "config": {"sockets_max": "many"}}, "/config/sockets_max"),
    ({**REDIS, "config": {"admin_client_ca": "/ca.pem"}}, "use networkPolicy.adminFrom"),
]

GOOD = [
    {**REDIS, "terminationGracePeriodSeconds": 70},
    {**REDIS, "podDisruptionBudget": {"minAvailable": 2}},
    {**REDIS, "podDisruptionBudget": {"enabled": False, "maxUnavailable": 0}},
    {**REDIS, "config": {"drain_window": "55s"}},
    {**REDIS, "config": {"drain_window": "5m", "drain_deadline": "6m"}},
    {**REDIS, "resources": {"limits": None}, "config": {"memory_max": "1GiB"}},
    {**SECRET, "replicaCount": 1},
    {**REDIS, "httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}], "timeouts": None}},
    {**REDIS, "global": {"anything": {"goes": 1}}, "enabled": False},
]


def table(name):
    """A table of _checks.tpl: name and what to use."""
    text = (chart.CHART / "templates" / "_checks.tpl").read_text()
    body = text.split(f'define "{name}" -}}}}\n')[1].split("{{- end -}}")[0]
    return chart.parse(body)[0]


def nested(path, value):
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def merged(base, more):
    both = {**base}
    for name, value in more.items():
        both[name] = {**both.get(name, {}), **value} if isinstance(value, dict) else value
    return both


def one_line(text):
    return re.sub(r"\s+", " ", text)


class Values(unittest.TestCase):
    def test_bad_values_are_refused_with_what_to_do(self):
        for values, part in BAD:
            with self.subTest(json.dumps(values)):
                self.assertIn(part, one_line(chart.refusal(values)))

    def test_values_at_the_limit_are_accepted(self):
        for values in GOOD:
            with self.subTest(json.dumps(values)):
                chart.render(values)

    def test_names_of_other_charts_are_answered_with_the_right_ones(self):
        names = table("t2b.renamed")
        self.assertGreater(len(names), 20)
        # Names below one parent do not disturb each other: one rendering for all.
        values = REDIS
        for path in names:
            values = merged(values, nested(path, "x"))
        errors = one_line(chart.refusal(values))
        for path, fix in names.items():
            with self.subTest(path):
                self.assertIn(one_line(f"{path} is no value of this chart: {fix}"), errors)

    def test_all_contradictions_are_told_at_once(self):
        errors = chart.refusal({"replicaCount": 3, "maxSurge": 0})
        for part in ("existingSecret is required", "there is no Redis", "maxSurge 0"):
            self.assertIn(part, errors)

    def test_the_fix_of_a_wrong_name_names_a_value_that_exists(self):
        values = chart.parse((chart.CHART / "values.yaml").read_text())[0]
        for path, fix in {**table("t2b.renamed"), **table("t2b.ownedKeys")}.items():
            named = re.findall(r"\b(?:use|in|that|into) ([a-z][A-Za-z]+(?:\.[A-Za-z]+)*)", fix)
            named = [name for name in named if name not in ("the", "a")]
            for name in named:
                with self.subTest(f"{path}: {name}"):
                    here = values
                    for part in name.split("."):
                        self.assertIn(part, here)
                        here = here[part]


if __name__ == "__main__":
    unittest.main()
