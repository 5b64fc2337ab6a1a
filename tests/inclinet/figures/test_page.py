"""Pages as people see them: in a browser, wide and on a phone, and printed."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from inclinet.figures.naming import name_page
from inclinet.figures.page import Card, Figure, Section, render_page
from inclinet.figures.style import new_figure, save

WIDE, PHONE = {"width": 1300, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def page(tmp_path):
    """A page with everything that pages have, more of it than fits on a phone."""
    figures = [Figure(f"Figure {k}", save(new_figure(5.6, 4.9), tmp_path / f"{k}.png"), "A caption.") for k in range(2)]
    rows = [{"what": f"row {k}", **{f"column {c}": "12.34–56.78" for c in range(7)}} for k in range(4)]
    picture = np.full((64, 64, 3), (200, 30, 30), np.uint8)
    card = Card("NGC 1 <b>", picture, ["60° → 70.0 ± 2.0°"], "nearly face-on", {"SDSS": "https://example.org/?a=1&b=2"})
    sections = [
        Section("Figures", ["A note."], figures),
        Section("A wide table", table=rows, main="row 2"),
        Section("Galaxies", cards=[card] * 12),
        Section("No picture", cards=[Card("NGC 2", None, ["–"])], small=True),
    ]
    path = tmp_path / "page.html"
    path.write_text(render_page("The title", "It is good & well.", {"Sample": "galaxies"}, sections), encoding="utf-8")
    return path


def sizes(opened):
    """Return the width of the page, and the boxes of all figures, cards and tables (x, y, width, height)."""
    boxes = "query => [...document.querySelectorAll(query)].map(e => {const b = e.getBoundingClientRect(); "
    boxes += "return [b.x, b.y, b.width, b.height]})"
    width = opened.evaluate("document.documentElement.scrollWidth")
    return width, *(opened.evaluate(boxes, query) for query in ("figure", ".cards:not(.small) .card", ".scroll"))


@pytest.mark.parametrize(("viewport", "beside"), [(WIDE, True), (PHONE, False)])
def test_a_page_never_scrolls_sideways(page, browser, viewport, beside):
    opened = browser.new_page(viewport=viewport)
    opened.goto(page.as_uri())
    width, figures, cards, [table] = sizes(opened)
    assert width == viewport["width"]
    # Two figures stand side by side where there is room, and fill the width of a phone.
    (x1, y1, w1, _), (x2, y2, _, _) = figures
    assert (y1 == y2) is beside
    assert (x2 > x1 + w1) is beside
    assert w1 > 340
    assert len({y for _, y, _, _ in cards}) == (2 if beside else 6)
    assert min(w for *_, w, _ in cards) > 140
    assert table[2] <= viewport["width"]
    inner = opened.evaluate("document.querySelector('table').scrollWidth")
    assert (inner > table[2]) is not beside  # on a phone, the table scrolls in its box
    shot = np.asarray(Image.open(io.BytesIO(opened.screenshot(full_page=True))).convert("RGB"))
    assert shot.shape[1] == viewport["width"]
    assert (np.abs(shot.astype(int) - (200, 30, 30)).max(axis=2) < 12).sum() > 12 * 130**2  # the pictures are there
    text = opened.inner_text("body")
    for expected in ("The title", "It is good & well.", "NGC 1 <b>", "nearly face-on", "no picture", "A caption."):
        assert expected in text
    assert opened.get_attribute(".card a", "href") == "https://example.org/?a=1&b=2"
    letters = "[...document.querySelectorAll('p,td,dd,a,.card div')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    assert min(opened.evaluate(letters)) >= 12


def test_a_page_prints(page, browser):
    opened = browser.new_page(viewport=PHONE)
    opened.goto(page.as_uri())
    opened.emulate_media(media="print")
    assert not opened.is_visible("nav")
    printed = opened.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2


def test_a_page_is_named_once_more(page):
    before = page.read_text()
    name_page(page, {"Version": "v1", "Run": ""})
    assert "<dt>Version</dt><dd>v1</dd>" in page.read_text()
    assert "Run" not in page.read_text()
    name_page(page, {"Version": "v2 <&>"})
    assert "<dd>v2 &lt;&amp;&gt;</dd>" in page.read_text()
    assert "v1" not in page.read_text()
    name_page(page, {})
    assert page.read_text() == before


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "other.html").write_text("<p>no report</p>")
    name_page(tmp_path / "other.html", {"Version": "v1"})
    name_page(tmp_path / "missing.html", {"Version": "v1"})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("other.html", "<p>no report</p>")]
