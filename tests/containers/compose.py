"""The services of compose files, merged and with variables replaced, as compose does it."""

import re

import yaml


def expand(text, variables):
    """Return a text with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:?reason}` replaced, as compose does."""

    def value(match):
        if match[0] == "$$":
            return "$"
        name, operator, rest = match[1] or match[2], match[3], match[4] or ""
        found = variables.get(name, "")
        if not found and operator == ":?":
            raise SystemExit(f"{name}: {rest}")
        return found or (rest if operator == ":-" else "")

    return re.sub(r"\$\$|\$(\w+)|\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text)


def compose(paths, variables):
    """Return the services of compose files, later ones merged into earlier ones, with variables replaced."""
    merged: dict = {}
    for path in paths:
        merged = merge(merged, _interpolate(yaml.safe_load(path.read_text()), variables))
    for service in merged["services"].values():
        if environment := service.get("environment"):
            passed = {name: variables.get(name) if value is None else str(value) for name, value in environment.items()}
            service["environment"] = {name: value for name, value in passed.items() if value is not None}
    return merged["services"]


def _interpolate(node, variables):
    if isinstance(node, dict):
        return {key: _interpolate(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolate(value, variables) for value in node]
    return expand(node, variables) if isinstance(node, str) else node


def merge(one, other):
    """Return compose settings with those of a later file merged into them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: merge(one.get(key), value) for key, value in other.items()}
    return other if other is not None else one
