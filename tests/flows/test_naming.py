import re
from pathlib import Path

import prefect.server
import pytest
from prefect import flow, get_client
from prefect.flow_engine import run_flow
from prefect.runtime import flow_run
from prefect.utilities.names import generate_slug

from flows import proposed
from flows.naming import add_tags, folder_of_run, is_random, keep_typed, sample_name, tags_of, unique
from flows.pipeline import PIPELINE_OPTIONS, rename_by_sample
from inclinet.settings import Sample

pytestmark = pytest.mark.xdist_group("tasks")


@pytest.mark.parametrize(
    "name",
    [
        "omega980-sagittarii",
        "pi2-canis-majoris-nebula",
        "rho-ito",
        "tau-barad-dur-x",
        "Practical-Onager",
        "vegan-poodle",
        "",
    ],
)
def test_names_that_prefect_makes_up_are_told(name):
    assert is_random(name)


@pytest.mark.parametrize(
    "name",
    [
        "my first try",
        "test-2",
        "Test-Run",
        "Small-Test",
        "beta-test",
        "new-sky",
        "new",
        "model4-mocks",
        "inclinet-0a1b2c3d",
        "discs-gri-64px-0a1b2c3d",
    ],
)
def test_names_that_people_type_are_told(name):
    assert not is_random(name)


def test_names_of_the_server_are_told():
    assert all(is_random(generate_slug(2)) for _ in range(1000))


def test_the_words_are_those_of_the_installed_uis():
    folder = Path(prefect.server.__file__).parent
    [older] = [one for path in folder.glob("ui/assets/*.js") if "`andromedae." in (one := path.read_text())]
    [newer] = [one for path in folder.glob("ui-v2/assets/*.js") if "`Aardvark." in (one := path.read_text())]

    def words(text, first):
        return set(re.search(rf"`({first}\.[^`]*)`\.split", text)[1].split(".")) - {""}

    assert words(older, "andromedae") == proposed.PLACES
    assert words(older, r"a\.b\.c") == proposed.THINGS
    assert {re.sub(r"\d|RANDOM", "", one) for one in words(older, r"alpha\.alpha2")} == proposed.GREEK
    assert {one for one in words(newer, "Aardvark") if len(one) <= 6} == proposed.ANIMALS
    assert set(re.search(r"\[`(Awesome[^\]]*)`\]", newer)[1].split("`,`")) == proposed.ADJECTIVES


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        ("input/galaxies", "galaxies"),
        ("input/discs/galaxies", "discs"),
        ("s3://bucket/surveys/sdss dr17/images/", "sdss-dr17"),
        ("s3://bucket", "bucket"),
        ("/data/ngc", "ngc"),
    ],
)
def test_a_sample_is_called_by_its_folder(images, expected):
    assert sample_name(images) == expected


def test_tags_say_size_and_bands():
    assert tags_of(Sample(bands=("gri", "r")), 64) == ["64px", "r", "gri"]


@flow(flow_run_name=keep_typed(lambda: unique("discs-gri-64px")))
def run_of_discs():
    add_tags(["64px", "gri"])
    return flow_run.id, flow_run.name, folder_of_run()


def test_a_run_without_a_name_says_what_it_is_about(prefect_api):
    run, name, folder = run_of_discs()
    assert name == folder == f"discs-gri-64px-{run[:8]}"
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run).tags == ["64px", "gri"]


@flow(flow_run_name=PIPELINE_OPTIONS["flow_run_name"])
def full(sample: Sample, size: int):
    rename_by_sample(sample.model_copy(update={"images": "input/discs/galaxies"}), size)
    return flow_run.id, flow_run.name, folder_of_run()


def test_a_run_is_named_after_the_sample_that_it_has_chosen(prefect_api):
    run, name, folder = full(Sample(bands=("g",)), 64)
    assert name == folder == f"discs-g-64px-{run[:8]}"
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run).name == name


@pytest.fixture
def named():
    """A run that a person has named, of the flow `full` above."""
    with get_client(sync_client=True) as client:
        yield client.create_flow_run(full, parameters={"sample": Sample(), "size": 64}, name="Test-Run")


def test_a_run_that_a_person_has_named_keeps_its_name(prefect_api, named):
    run, name, _ = run_flow(full, flow_run=named, return_type="result")
    assert name == "Test-Run"
    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run).name == "Test-Run"


@flow(flow_run_name=lambda: "Try 3: äöü / ../etc")
def typed():
    return flow_run.id, folder_of_run()


def test_any_name_gives_a_folder_that_keys_can_hold(prefect_api):
    run, folder = typed()
    assert folder == f"Try-3-..-etc-{run[:8]}"
