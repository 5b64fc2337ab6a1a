"""What people see of a run in Prefect's two UIs, in a real browser, on a desktop and on a phone."""

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey

from inclinet.figures.markdown import PAGE_BYTES
from tasks.live import SUMMARY

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service")]

WIDTHS = {"desktop": 1300, "phone": 390}
MILLISECONDS = 60_000
LOADED = "() => [...document.images].every(one => one.complete && one.naturalWidth > 0)"
WIDEST = """() => Math.max(document.documentElement.scrollWidth, ...[...document.querySelectorAll(
    'main img, main table, main li, main p')].map(one => one.getBoundingClientRect().right))"""


@pytest.fixture(scope="module")
def summary(first):
    """A run of the plain discs, and the artifact of its summary."""
    run, *_ = first
    assert run.state.name == "Completed", run.state.message
    with get_client(sync_client=True) as client:
        its = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]), key=ArtifactFilterKey(any_=[SUMMARY]))
        [artifact] = client.read_artifacts(artifact_filter=its)
    return run, artifact


def open_page(browser, service, width=WIDTHS["desktop"], height=2600):
    """Return a page that the auth string was typed into, as both UIs keep it."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(MILLISECONDS)
    page.add_init_script(f"localStorage.setItem('prefect-password', btoa('{service.auth_string}'))")
    return page


def test_a_run_has_one_small_summary_that_is_its_own(summary):
    run, artifact = summary
    assert artifact.task_run_id is None
    assert 20_000 < len(artifact.data.encode()) < PAGE_BYTES
    assert artifact.description.startswith("RMS ")
    assert run.state.message.startswith(artifact.description.removesuffix("."))
    assert 1 <= artifact.data.count("data:image/jpeg") <= 12
    assert artifact.data.count("data:image/png") == 2


@pytest.mark.parametrize("ui", ["", "/v2"], ids=["first", "second"])
@pytest.mark.parametrize("device", WIDTHS)
def test_the_summary_reads_without_scrolling_sideways(service, summary, browser, tmp_path, ui, device):
    run, artifact = summary
    page = open_page(browser, service, WIDTHS[device])
    page.goto(f"{service.ui}{ui}/artifacts/artifact/{artifact.id}")
    page.get_by_role("heading", name="largest errors").wait_for()
    page.wait_for_function(LOADED)
    page.screenshot(path=tmp_path / "summary.png")
    text = page.locator("body").inner_text()
    for part in ("RMS", "next:", "Report", f"s3://inclinet/runs/{run.name}/", "Training", "Skipped", "Made and reused"):
        assert part in text
    assert page.evaluate(WIDEST) <= WIDTHS[device]


def test_the_link_to_the_report_opens(service, summary, browser):
    _, artifact = summary
    page = open_page(browser, service)
    page.goto(f"{service.ui}/artifacts/artifact/{artifact.id}")
    page.goto(page.get_by_role("link", name="Report", exact=True).get_attribute("href"))
    assert "RMS" in page.locator("body").inner_text()


def test_the_form_has_titles_and_whole_descriptions(service, browser):
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("inclinet/full")
    page = open_page(browser, service)
    page.goto(f"{service.ui}/deployments/deployment/{deployment.id}/run")
    page.get_by_text("Root of the image names").wait_for()
    text = page.locator("body").inner_text()
    for part in ("Image size", "Pixels a side", "Sample", "Split", "Subsamples", "Augmentation", "Training", "such as"):
        assert part in text
    assert "niter" not in text.casefold()
