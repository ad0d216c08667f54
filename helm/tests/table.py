"""The table of values: a row for each `##` comment of values.yaml."""

import re

import yaml

KEY = re.compile(r"^( *)([A-Za-z][A-Za-z0-9_]*):(.*)$")
COMMENT = re.compile(r"^ *## (.*)$")


def rows(text):
    """(path, comment) in the order of the file; the comment is None if the line before has none."""
    parents, comment = [], None
    for line in text.splitlines():
        found = COMMENT.match(line)
        if found:
            comment = found[1]
            continue
        key = KEY.match(line)
        if key:
            depth = len(key[1]) // 2
            parents = [*parents[:depth], key[2]]
            yield ".".join(parents), comment
        comment = None


def value_at(values, path):
    for part in path.split("."):
        values = values[part]
    return values


def default(value):
    """The default as one line of YAML."""
    if value is None:
        return ""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, sort_keys=False)
    text = text.removesuffix("...\n").strip()
    if text in ("''", "{}", "[]"):
        return ""
    return f"`{text}`" if len(text) <= 70 else "see [values.yaml](values.yaml)"


def values_table(text):
    values = yaml.safe_load(text)
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    for path, comment in rows(text):
        if comment:
            lines.append(f"| `{path}` | {default(value_at(values, path))} | {comment} |")
    return "\n".join(lines) + "\n"


def undocumented(text):
    """Paths without a comment of their own or of a parent whose value is the whole map."""
    found = list(rows(text))
    documented = {path for path, comment in found if comment}
    missing = []
    for path, comment in found:
        parts = path.split(".")
        above = any(".".join(parts[:count]) in documented for count in range(1, len(parts)))
        below = any(other.startswith(f"{path}.") for other in documented)
        if not comment and not above and not below:
            missing.append(path)
    return missing
