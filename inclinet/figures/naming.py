"""The name of what a page is about, entered once it is known."""

import re
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from inclinet.storage.atomic import write_text

__all__ = ["name_page"]

_NAMED = re.compile(r"<!--names-->.*?<!--/names-->", re.DOTALL)


def name_page(path: Path, facts: Mapping[str, str]) -> None:
    """Add facts to the page in a file, before its own, that were not known when it was made, such as a version's name.

    They replace those of an earlier call. Empty ones are left out. A file that is missing, or no such page, is left as
    it is.
    """
    if not path.is_file():
        return
    rows = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(*fact) for fact in facts.items() if fact[1])
    page = path.read_text(encoding="utf-8")
    named = _NAMED.sub(lambda _: f"<!--names-->{rows}<!--/names-->", page, count=1)
    if named != page:
        write_text(path, named)
