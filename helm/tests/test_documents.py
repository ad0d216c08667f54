"""What the documents say about values is true."""

import re
import unittest

import yaml

import chart
from test_values import REDIS, merged

PAGES = {name: (chart.ROOT / name).read_text() for name in ("docs/kubernetes.md", "helm/t2b/README.md")}
KUBERNETES = PAGES["docs/kubernetes.md"]


def blocks(text, language):
    return re.findall(rf"(?m)^ *```{language}\n(.*?)^ *```", text, re.DOTALL)


class Documents(unittest.TestCase):
    def test_each_block_of_values_is_accepted(self):
        found = blocks(KUBERNETES, "yaml")
        self.assertGreaterEqual(len(found), 5)
        for block in found:
            with self.subTest(block):
                chart.render(merged(REDIS, yaml.safe_load(block)))

    def test_each_value_that_is_named_exists(self):
        schema = yaml.safe_load((chart.CHART / "values.yaml").read_text())
        tops = "|".join(schema)
        for page, text in PAGES.items():
            named = set(re.findall(rf"(?:`|--set )((?:{tops})\.[A-Za-z_.]+)", text))
            self.assertTrue(named)
            for path in named:
                with self.subTest(f"{page}: {path}"):
                    here = schema
                    for part in path.split("."):
                        if here is schema["config"]:
                            break
                        self.assertIn(part, here)
                        here = here[part]

    def test_each_profile_is_explained(self):
        table = KUBERNETES.split("## Profiles")[1].split("## ")[0]
        self.assertEqual(sorted(set(re.findall(r"`([a-z0-9]+)`", table))), chart.PROFILES)

    def test_an_installation_takes_ten_commands_at_most(self):
        install = KUBERNETES.split("## Install")[1].split("## ")[0]
        lines = "".join(blocks(install, "sh")).replace("\\\n", " ").splitlines()
        self.assertLessEqual(len([line for line in lines if line.strip()]), 10)
