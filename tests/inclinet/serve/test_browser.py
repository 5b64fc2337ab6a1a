"""The pages in a real browser, on a desk and on a phone, by mouse and by keyboard."""

import io

import numpy as np
import pytest
from PIL import Image

from inclinet.data.catalog import read_catalog
from tests.conftest import disc
from tests.inclinet.serve.conftest import jpeg, running

expect = pytest.importorskip("playwright.sync_api", reason="needs Playwright, of the extra `dev`").expect
expect.set_options(timeout=60_000)  # a busy machine takes its time

DESK, PHONE = {"width": 1300, "height": 900}, {"width": 390, "height": 844}
TOUCH = 40  # pixels: smaller buttons are hard to hit with a finger


@pytest.fixture(params=[DESK, PHONE], ids=["desk", "phone"])
def open_page(browser, request):
    """A function that opens a page; what the browser complains of makes the test fail."""
    complaints = []
    context = browser.new_context(viewport=request.param, has_touch=request.param is PHONE)
    context.set_default_timeout(60_000)

    def go(address):
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield go
    context.close()
    assert not complaints


def check_look(page):
    """Check that a page fits the screen, is not empty, and that its buttons can be hit."""
    size = page.viewport_size
    picture = Image.open(io.BytesIO(page.screenshot()))
    assert picture.size == (size["width"], size["height"])
    assert np.asarray(picture.convert("L")).std() > 5
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    for button in page.locator("button:visible, .button:visible").all():
        assert button.bounding_box()["height"] >= TOUCH, button.inner_text()


def images(*named):
    return [{"name": name, "mimeType": "image/jpeg", "buffer": content} for name, content in named]


def test_a_dropped_galaxy_gets_its_inclination(open_page, server):
    page = open_page(server[1])
    check_look(page)
    assert "deg RMS" in page.inner_text("#trust")
    # A drop, as the browser makes it of files.
    data = page.evaluate_handle(
        """(content) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(content)], "pgc7_x_gri.jpg", { type: "image/jpeg" }));
            return transfer;
        }""",
        list(jpeg(70)),
    )
    page.dispatch_event("body", "drop", {"dataTransfer": data})
    page.wait_for_selector("#inclination")
    assert page.inner_text("#answer h2") == "PGC 7"
    assert page.inner_text("#inclination").startswith(("6", "7"))
    assert "°" in page.inner_text("#inclination")
    assert "95 % interval" in page.inner_text("#answer dl")
    assert "network residual_0" in page.inner_text("#answer dl")
    facts = dict(zip(*(page.locator(f"#answer {name}").all_inner_texts() for name in ("dt", "dd")), strict=True))
    answer, own = (float(text.split("°")[0]) for text in (page.inner_text("#inclination"), facts["network residual_0"]))
    added = facts.get("correction of them", "0").replace("−", "-").rstrip("°")
    assert answer == pytest.approx(own + float(added), abs=0.16)  # each of them is rounded
    assert page.locator(".picture ellipse").count() == page.locator(".dial .needle").count() == 1
    # The ellipse is drawn on the picture, level and flat as the disc is.
    image, ellipse = (page.locator(f".picture {name}").bounding_box() for name in ("img", "ellipse"))
    assert 0.25 < ellipse["height"] / ellipse["width"] < 0.55
    assert abs(ellipse["x"] + ellipse["width"] / 2 - image["x"] - image["width"] / 2) < 0.03 * image["width"]
    check_look(page)


def test_many_images_become_a_table_to_download(open_page, server):
    page = open_page(server[1])
    given = [(f"pgc{n}_x_gri.jpg", jpeg(45 + 2 * n)) for n in range(1, 16)]
    page.set_input_files("#files", images(*given, ("broken.jpg", b"nothing")))
    expect(page.locator("#rows tr")).to_have_count(16)
    page.wait_for_selector("#progress", state="hidden")
    assert page.inner_text("#count") == "16 galaxies"
    assert page.inner_text("#status").startswith("16 galaxies, ")
    assert page.inner_text("#status").endswith(" flagged and 1 not predicted.")
    assert "not a readable image" in page.inner_text("#rows")
    page.click("#rows button:text('PGC 9')")
    assert page.inner_text("#answer h2") == "PGC 9"
    check_look(page)
    with page.expect_download() as download:
        page.click("[data-format=csv]")
    assert download.value.suggested_filename == "inclinations.csv"
    assert len(download.value.path().read_text().splitlines()) == 17
    page.click("#clear")
    assert not page.is_visible("#list")


def test_what_cannot_be_used_is_said(open_page, server):
    page = open_page(server[1])
    page.set_input_files("#files", images(("a.jpg", jpeg()), ("<b>.jpg", b"nothing")))
    expect(page.locator("#rows tr")).to_have_count(2)
    assert page.inner_text("#rows tr:nth-child(1) button") == "<b>.jpg"
    assert page.inner_text("#answer h2") == "a.jpg"  # the first one with an answer
    page.click("#rows tr:nth-child(1) button")
    assert "No answer: not a readable image" in page.inner_text("#answer")


def test_everything_is_reached_by_keyboard(open_page, server):
    page = open_page(server[1])
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name || 'button'"))
    assert reached[:5] == ["files", "name", "size", "survey", "button"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.set_input_files("#files", images(("a.jpg", jpeg(50)), ("b.jpg", jpeg(80))))
    expect(page.locator("#rows tr")).to_have_count(2)
    page.focus("#rows tr:nth-child(2) button")
    page.keyboard.press("Enter")
    assert page.inner_text("#answer h2") == "b.jpg"


@pytest.fixture(scope="module")
def labelling(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labelling")
    for pgc, inclination in ((1, 50), (2, 65), (3, 80), (4, 60), (5, 70), (6, 75)):
        image = Image.fromarray(disc(160, inclination, angle=0.6))
        image.save(folder / f"pgc{pgc}_x_gri.jpg", quality=95)
    with running("--label", folder, "--token", "open-sesame") as (_, address):
        yield folder, address


def test_people_label_by_keyboard(open_page, labelling, request):
    folder, address = labelling
    assert address.endswith("/label#token=open-sesame")
    page = open_page(address)
    person = f"Ann {request.node.callspec.id}"
    page.fill("[name=person]", person)
    page.keyboard.press("Enter")
    page.wait_for_selector("#task:not([hidden])")
    check_look(page)
    assert page.locator(".strip img").count() == 20
    assert page.inner_text("#done") == f"0 of 6 galaxies judged by {person}."
    # The picture is turned until the major axis is level.
    assert "rotate(-3" in page.locator("#image").get_attribute("style")
    page.keyboard.press("l")
    assert "rotate" not in (page.locator("#image").get_attribute("style") or "")

    def save(done):
        expect(page.locator("#done")).to_contain_text(f"{done} of 6")

    page.keyboard.press("ArrowRight")
    assert page.inner_text("#value") == "68°"
    page.keyboard.press("Enter")
    save(1)
    page.locator(".strip input[value='80']").first.check(force=True)
    page.keyboard.press("Enter")
    save(2)
    page.click("#reason-merger")
    save(3)
    page.keyboard.press("b")
    expect(page.locator("#status")).to_contain_text("merging")
    check_look(page)
    labels = read_catalog(folder / "labels.csv")
    assert sorted(labels.labels.values()) == ["0", "68", "80"]
    assert set(labels.errors.values()) <= {2.6, 1.5}
