import pytest
from prefect.client.schemas.objects import StateType

from flows.retrain import NO_SAMPLE, retrain
from inclinet.settings import Sample

pytestmark = pytest.mark.xdist_group("tasks")


def test_a_fresh_service_has_no_sample_yet(store):
    state = retrain(return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, NO_SAMPLE)
    assert state.message == (
        "no sample yet: put images under input/galaxies and a catalogue at input/catalog.csv of the artifact store, "
        "or set `sample`"
    )


def test_images_without_a_catalogue_fail(store):
    store.write("input/galaxies/pgc1_d25x2_rot_g.png", b"")
    state = retrain(return_state=True)
    assert state.is_failed()
    assert "catalogue 'input/catalog.csv' is not in" in state.message


def test_a_catalogue_without_images_fails(store):
    store.write("input/catalog.csv", b"pgc|inc\n1|50\n")
    state = retrain(return_state=True)
    assert state.is_failed()
    assert "input/galaxies: no image such as pgc<ID>_d25x2_rot_" in state.message


def test_a_sample_elsewhere_must_exist(store):
    state = retrain(sample=Sample(images="input/glaxies"), return_state=True)
    assert state.is_failed()
