import pytest
from prefect import flow

from inclinet.errors import InclinetError
from inclinet.settings import Sample
from tasks.sample import choose_sample_task

pytestmark = pytest.mark.xdist_group("tasks")


@flow
def choose(sample):
    return choose_sample_task(sample, return_state=True).result()


def put(store, name):
    store.write(f"input/{name}/catalog.csv", b"pgc|inc\n1|50\n")
    store.write(f"input/{name}/galaxies/pgc1_d25x2_rot_g.png", b"")


def test_the_only_sample_of_the_store_is_the_default(store):
    put(store, "discs")
    store.write("input/notes/readme.txt", b"")
    assert choose(Sample(bands=("g",))) == Sample(
        images="input/discs/galaxies", catalog="input/discs/catalog.csv", bands=("g",)
    )


def test_the_default_place_and_a_named_sample_come_first(store):
    put(store, "discs")
    named = Sample(images="input/other/galaxies")
    assert choose(named) == named
    store.write("input/catalog.csv", b"pgc|inc\n1|50\n")
    assert choose(Sample()) == Sample()


def test_of_several_samples_one_must_be_named(store):
    put(store, "discs")
    put(store, "mocks")
    with pytest.raises(InclinetError, match="samples in the store: input/discs/galaxies, input/mocks/galaxies"):
        choose(Sample())


def test_an_empty_store_has_no_other_sample(store):
    assert choose(Sample()) == Sample()
