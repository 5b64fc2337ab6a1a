import pytest
from prefect import flow, get_client
from prefect.runtime import flow_run

from flows.naming import add_tags, folder_of_run, is_random, keep_typed, sample_name, tags_of, unique
from inclinet.settings import Sample

pytestmark = pytest.mark.xdist_group("tasks")


@pytest.mark.parametrize(
    "name", ["omega980-sagittarii", "pi2-canis-majoris-nebula", "rho-ito", "Practical-Onager", "vegan-poodle", ""]
)
def test_names_that_prefect_makes_up_are_told(name):
    assert is_random(name)


@pytest.mark.parametrize(
    "name", ["my first try", "test-2", "model4-mocks", "inclinet-0a1b2c3d", "discs-gri-64px-0a1b2c3d"]
)
def test_names_that_people_type_are_told(name):
    assert not is_random(name)


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


@flow(flow_run_name=lambda: "Try 3: äöü / ../etc")
def typed():
    return flow_run.id, folder_of_run()


def test_any_name_gives_a_folder_that_keys_can_hold(prefect_api):
    run, folder = typed()
    assert folder == f"Try-3-..-etc-{run[:8]}"
