"""The page `/docs`: the REST API in words, from its OpenAPI description, without scripts from elsewhere."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

__all__ = ["reference_page"]

_TEMPLATE = Path(__file__).with_suffix(".html")


def reference_page(openapi: dict[str, Any], address: str) -> str:
    """Return the HTML page of an OpenAPI description; `address` is that of the server, with a slash at its end."""
    calls = [
        {"method": method.upper(), "path": path, **call, "fields": _fields(call)}
        for path, methods in openapi["paths"].items()
        for method, call in methods.items()
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    schemas = openapi.get("components", {}).get("schemas", {})
    return environment.from_string(_TEMPLATE.read_text()).render(
        info=openapi["info"], address=address, calls=calls, answer=_properties(schemas.get("Answer", {}))
    )


def _fields(call: dict[str, Any]) -> list[dict[str, str]]:
    """Return what a call takes: the parameters of its address, and the fields of its form."""
    parameters = [
        {"name": one["name"], "in": "address", "text": one.get("description", "")} for one in call.get("parameters", [])
    ]
    content = call.get("requestBody", {}).get("content", {})
    form = content.get("multipart/form-data", {}).get("schema", {})
    return parameters + [{"name": one["name"], "in": "form", "text": one["text"]} for one in _properties(form)]


def _properties(schema: dict[str, Any]) -> list[dict[str, str]]:
    return [{"name": name, "text": one.get("description", "")} for name, one in schema.get("properties", {}).items()]
