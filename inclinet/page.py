"""The report as one HTML page that needs nothing beside it: tables, and figures within the page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

__all__ = ["Figure", "Table", "render_page"]

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; }
p, figcaption { max-width: 46rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; margin: .6rem 0; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e3e3e3; }
th:first-child, td:first-child { text-align: left; }
th { border-bottom: 1px solid #7f7f7f; font-weight: 600; }
tr.main td { font-weight: 600; background: #eef5fb; }
figure { margin: 1rem 0 2rem; }
img { max-width: 100%; height: auto; }
figcaption { color: #555; font-size: .9rem; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for line in lead %}<p>{{ line }}</p>
{% endfor %}
{% for part in parts %}
<h2>{{ part.title }}</h2>
{% if part.rows is defined %}
{% if part.note %}<p>{{ part.note }}</p>{% endif %}
<div class="scroll"><table>
<tr>{% for name in part.rows[0] %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in part.rows %}<tr{% if part.main and row.values() | first == part.main %} class="main"{% endif %}>
{%- for value in row.values() %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% else %}
<figure><img alt="{{ part.title }}" src="data:image/{{ part.kind }};base64,{{ part.data }}">
<figcaption>{{ part.caption }}</figcaption></figure>
{% endif %}
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True)
class Table:
    """A table of the page; the row whose first cell is `main` stands out."""

    title: str
    rows: Sequence[Mapping[str, str]]
    note: str = ""
    main: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page: the file, and what it shows."""

    title: str
    path: Path
    caption: str

    @property
    def kind(self) -> str:
        """Its format, as browsers call it."""
        return "png" if self.path.suffix == ".png" else "jpeg"

    @property
    def data(self) -> str:
        """Its content in base 64."""
        return base64.b64encode(self.path.read_bytes()).decode()


def render_page(title: str, lead: Sequence[str], parts: Sequence[Table | Figure]) -> str:
    """Return the page: a title, a few lines, then tables and figures in order; all text is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE).render(title=title, lead=lead, parts=parts)
