"""MkDocs hooks: Markdown files outside `docs/` become pages of the site, and their links are checked like all others.

A link is written as it works in the repository, `../benchmarks/RESULTS.md` for example; here it is turned into the
address within the site. A link to any other file of the repository becomes plain text, for the site does not hold it.
A link to a file that does not exist stays as it is, so that `mkdocs build --strict` fails on it.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

__all__ = ["on_files", "on_page_markdown"]

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
PAGES = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/RESULTS.md": "measurements.md",
    "docker/README.md": "docker.md",
}
"""Pages of the site by their place in the repository."""

_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the Markdown files outside `docs/` to the site."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page with the links of the repository turned into those of the site."""
    here = posixpath.dirname(_SOURCES.get(page.file.src_uri, f"{DOCS}/{page.file.src_uri}"))

    def turn(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, link["target"]))
        within = PAGES.get(target) or (target.removeprefix(f"{DOCS}/") if target.startswith(f"{DOCS}/") else None)
        if within is not None:
            address = posixpath.relpath(within, posixpath.dirname(page.file.src_uri) or ".")
            return f"{link['image']}[{link['text']}]({address}{link['anchor'] or ''})"
        return link["text"] if (ROOT / target).exists() else link[0]

    return _LINK.sub(turn, markdown)
