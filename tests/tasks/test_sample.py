import pytest
from prefect import flow

from inclinet.errors import InclinetError
from inclinet.settings import Predict, Sample
from tasks.sample import choose_images_task, choose_sample_task

pytestmark = pytest.mark.xdist_group("tasks")


@flow
def choose(sample):
    return choose_sample_task(sample, return_state=True).result()


@flow
def choose_images(what):
    return choose_images_task(what, return_state=True).result()


def put(store, name, *images):
    store.write(f"input/{name}/catalog.csv", b"pgc|inc\n1|50\n")
    for image in images or [f"pgc1_d25x2_rot_{band}.png" for band in ("g", "r", "i", "gri")]:
        store.write(f"input/{name}/galaxies/{image}", b"")


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


@pytest.mark.parametrize(
    ("images", "imroot", "bands"),
    [
        (["pgc1_d25x2_rot_g.png", "pgc1_d25x2_rot_gri.sdss.jpg", "pgc1_d25x2_rot_z.png"], "d25x2_rot", ("g", "gri")),
        (["pgc1_d25x1.25_grz.jpg", "pgc2_d25x1.25_grz.jpg", "pgc2_d25x1.25_mask.png"], "d25x1.25", ("grz",)),
        (["NGC4414.jpg"], "d25x2_rot", Sample().bands),
    ],
    ids=["bands", "root", "neither"],
)
def test_root_and_bands_are_those_of_the_images_unless_they_are_set(store, images, imroot, bands):
    put(store, "discs", *images)
    chosen = choose(Sample())
    assert (chosen.imroot, chosen.bands) == (imroot, bands)
    assert choose(Sample(imroot="x")).imroot == "x"
    assert choose(Sample(bands=("r",))).bands == ("r",)


def test_the_default_place_is_read_as_its_images_are_named_too(store):
    store.write("input/galaxies/pgc1_x_gri.jpg", b"")
    store.write("input/catalog.csv", b"pgc|inc\n1|50\n")
    assert choose(Sample()) == Sample(imroot="x", bands=("gri",))


def test_the_only_images_of_the_store_are_predicted_by_default(store):
    assert choose_images(Predict()) == Predict()
    put(store, "discs")
    assert choose_images(Predict(chunk=5)) == Predict(images="input/discs/galaxies", chunk=5)
    assert choose_images(Predict(images="elsewhere")) == Predict(images="elsewhere")
    put(store, "mocks")
    with pytest.raises(InclinetError, match="samples in the store: input/discs/galaxies, input/mocks/galaxies"):
        choose_images(Predict())
    store.write("input/galaxies/pgc1_d25x2_rot_g.png", b"")
    assert choose_images(Predict()) == Predict()
