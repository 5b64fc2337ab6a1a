import base64
import io
import re

import numpy as np
from PIL import Image

from inclinet.figures.markdown import PAGE_BYTES, assemble, escape, figure, picture, table, thumbnail
from inclinet.figures.style import new_figure


def picture_of(markdown):
    """Return the picture in a text of Markdown."""
    [found] = re.findall(r"\(data:image/\w+;base64,([^)]+)\)", markdown)
    return Image.open(io.BytesIO(base64.b64decode(found)))


def test_text_from_outside_stays_text():
    assert escape("a|b <i>*_x\n`y`") == r"a\|b \<i\>\*_x \`y\`"


def test_a_table_has_a_line_for_each_row():
    rows = [{"stage": "prep", "made": "3"}, {"stage": "split", "made": "12"}]
    assert table(rows, ["made"]).splitlines() == [
        "| stage | made |",
        "| :-- | --: |",
        "| prep | 3 |",
        "| split | 12 |",
    ]


def test_a_figure_is_small_and_reads_as_before(tmp_path):
    drawn = new_figure(5.6, 3.4)
    drawn.subplots().plot(np.random.default_rng(0).normal(size=500), ".")
    shown = picture_of(figure(drawn, "noise"))
    assert shown.size == (672, 408)
    drawn.savefig(tmp_path / "whole.png", dpi=120, facecolor="white")
    whole = (tmp_path / "whole.png").read_bytes()
    smaller = picture_of(picture(whole, "noise")).convert("RGB")
    difference = np.abs(np.asarray(smaller, int) - np.asarray(Image.open(io.BytesIO(whole)).convert("RGB"), int))
    assert difference.mean() < 1
    assert len(figure(drawn, "noise")) < 30_000


def test_thumbnails_are_squares_of_colour_or_grey():
    for shape in ((48, 48, 3), (300, 300)):
        assert picture_of(thumbnail(np.full(shape, 90, np.uint8), 96, "PGC 1")).size == (96, 96)


def test_a_page_never_gets_too_large():
    page = assemble(["first", "", "x" * PAGE_BYTES, "last"])
    assert page == "first\n\nlast"
    assert len(assemble(["°" * 100_000] * 5).encode()) < PAGE_BYTES
