"""Labels from people: how they are combined, kept and taken by training."""

import json

import numpy as np
import pytest
from PIL import Image

from inclinet.data.catalog import read_catalog
from inclinet.data.images import open_image
from inclinet.errors import InclinetError
from inclinet.geometry.shape import measure_shape
from inclinet.preparation.prep import prep
from inclinet.serve.labels import Judged, Label, LabelBook, combine, scatter
from inclinet.serve.references import INCLINATIONS, KINDS, REFERENCE_FOLDER, reference_file
from tests.conftest import disc

GALAXY = Judged(pgc=118, name="PGC 118")


def said(*what, galaxy="pgc118"):
    """Return labels of as many people: inclinations, or reasons to reject the galaxy."""
    return [
        Label(galaxy=galaxy, person=f"person {number}", **{"reason" if isinstance(one, str) else "inclination": one})
        for number, one in enumerate(what)
    ]


def test_the_error_follows_from_the_scatter_and_the_number_of_people():
    assert scatter([60.0]) == pytest.approx(2.6)
    assert scatter([60.0, 60.0]) == pytest.approx(2.6 * np.sqrt(2 / 3 / 2))
    assert scatter([50.0, 70.0]) > 2 * scatter([60.0, 60.0])
    many = np.random.default_rng(1).normal(60, 4, 400).tolist()
    assert scatter(many) == pytest.approx(4 / 20, rel=0.1)


def test_inclinations_become_their_mean():
    row = combine(GALAXY, said(60, 64, 65))
    assert row["inc"] == "63.0"
    assert row["inc_e"] == f"{scatter([60.0, 64.0, 65.0]):.1f}"
    assert (row["pgc"], row["inc_flg"], row["inc_n"], row["fon"], row["inc_note"]) == ("118", "0", "3", "", "")


@pytest.mark.parametrize(
    ("what", "flag", "fon", "note"),
    [
        ((60, 62, "merger"), "0", "", "[merger]"),
        ((60, 62, "face_on"), "0", "", "[face_on]"),
        ((60, "face_on"), "1", "F", "[face_on]"),
        (("face_on", "face_on", "merger"), "1", "F", "[face_on] [merger]"),
        (("merger", "merger", "face_on"), "1", "", "[merger]"),
        (("bad_image",), "1", "", "[bad_image]"),
    ],
)
def test_half_of_the_people_flag_a_galaxy(what, flag, fon, note):
    row = combine(GALAXY, said(*what))
    assert (row["inc_flg"], row["fon"], row["inc_note"]) == (flag, fon, note)


def test_notes_stay_in_their_cell_and_make_no_galaxy_face_on():
    label = Label(galaxy="pgc118", person="Ann", reason="merger", note=" not face_on |\n 3 cores ")
    assert combine(GALAXY, [label])["inc_note"] == "[merger] not face-on / 3 cores"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"inclination": 60, "reason": "merger"},
        {"inclination": 30},
        {"inclination": 91},
        {"inclination": float("nan")},
        {"reason": "ugly"},
        {"inclination": 60, "person": "  "},
        {"inclination": 60, "person": "x" * 41},
    ],
)
def test_wrong_labels_are_refused(wrong):
    with pytest.raises(ValueError, match="validation error"):
        Label.model_validate({"galaxy": "pgc118", "person": "Ann"} | wrong)


def test_labels_are_kept_and_the_last_of_a_person_counts(tmp_path):
    galaxies = {"pgc118": GALAXY, "ngc2": Judged(pgc=None, name="NGC | 2")}
    book = LabelBook(tmp_path / "labels.csv", galaxies)
    for label in [*said(50, 60), *said("merger", galaxy="ngc2"), *said(58)]:
        book.add(label)
    with pytest.raises(InclinetError, match="no galaxy 'other'"):
        book.add(said(50, galaxy="other")[0])
    with (tmp_path / "labels.jsonl").open("a") as file:
        file.write('{"galaxy": "pgc1')  # a crash while writing
    again = LabelBook(tmp_path / "labels.csv", galaxies)
    assert again.done("person 0") == 2
    assert again.label_of("pgc118", "person 0").inclination == 58
    assert again.text() == (tmp_path / "labels.csv").read_text()
    catalog = read_catalog(tmp_path / "labels.csv")
    assert sorted(catalog.labels.values()) == ["0", "59"]
    assert catalog.errors == {118: pytest.approx(scatter([58.0, 60.0]), abs=0.05)}


def test_another_catalogue_is_not_overwritten(tmp_path):
    (tmp_path / "catalog.csv").write_text("pgc|inc\n")
    with pytest.raises(InclinetError, match="holds no labels") as error:
        LabelBook(tmp_path / "catalog.csv", {})
    assert error.value.setting == "out"


@pytest.mark.parametrize("kind", KINDS)
def test_reference_discs_are_the_flatter_the_more_inclined_they_are(kind):
    images = [open_image(REFERENCE_FOLDER / reference_file(kind, one), True) for one in INCLINATIONS]
    shapes = [measure_shape(np.asarray(image)) for image in images]
    ratios = [shape.axis_ratio for shape in shapes]
    assert tuple(range(45, 91, 5)) == INCLINATIONS
    assert ratios == sorted(ratios, reverse=True)
    assert all(abs(shape.position_angle) < 8 for shape in shapes)
    # A disc of thickness 0.2.
    expected = np.sqrt(0.96 * np.cos(np.radians(INCLINATIONS)) ** 2 + 0.04)
    np.testing.assert_allclose(ratios, expected, atol=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of four galaxies, in two bands, or of names of their own; and one that is none."""
    made = tmp_path_factory.mktemp("to-label")
    for pgc, inclination in ((1, 50), (2, 70)):
        Image.fromarray(disc(128, inclination)).save(made / f"pgc{pgc}_x_gri.jpg", quality=95)
        Image.fromarray(255 - disc(128, inclination)[..., 0]).save(made / f"pgc{pgc}_x_r.png")
    Image.fromarray(disc(128, 80)).save(made / "NGC_3.jpg", quality=95)
    Image.fromarray(disc(128, 60)).save(made / "some-galaxy_gri.jpg", quality=95)
    (made / "broken.jpg").write_bytes(b"nothing")
    return made


def test_people_label_galaxies_one_after_the_other(open_client, folder, tmp_path):
    out = tmp_path / "labels.csv"
    client = open_client(label=folder, out=out)
    assert client.get("/api/version").json()["labelling"]
    assert client.get("/label").status_code == 200
    guide = client.get("/api/label/guide").json()
    assert [deg for deg, _ in guide["references"]["late"]] == list(INCLINATIONS)
    assert all(client.get(f"/{file}").status_code == 200 for _, file in guide["references"]["early"])

    for person in ("Ann", "Ben"):
        asked = []
        while (task := client.get("/api/label/next", params={"person": person}).json())["galaxy"]:
            asked.append(task["galaxy"])
            assert task["picture"]["data"].startswith("data:image/jpeg")
            assert "67" not in json.dumps({**task, "picture": None})  # nothing of what the networks say
            what = {"reason": "merger"} if task["galaxy"] == "ngc3" else {"inclination": 60 + len(asked)}
            assert client.post("/api/label", json={"galaxy": task["galaxy"], "person": person, **what}).is_success
        assert sorted(asked) == ["ngc3", "pgc1", "pgc2", "somegalaxy"]
        assert task["done"] == task["total"] == 4
    before = client.get("/api/label/galaxy", params={"person": "Ann", "galaxy": asked[0]}).json()
    assert before["label"]["person"] == "Ann"
    skipped = client.get("/api/label/next", params={"person": "Cay", "after": asked[0]}).json()
    assert skipped["galaxy"] == asked[1]
    assert client.post("/api/label", json={"galaxy": "pgc1", "person": "Ann"}).status_code == 422
    assert client.get("/api/label/catalogue").text == out.read_text()

    # Training takes the catalogue, and the images by the names in it.
    catalog = read_catalog(out)
    assert set(catalog.names.values()) == {"PGC 1", "PGC 2", "NGC_3", "some-galaxy"}
    assert len(catalog.errors) == 3
    done = prep(folder, out, "gri", imroot="x", size=32, outfolder=tmp_path)
    assert done.images == 2
    assert {path.name for path in done.folder.glob("*.jpg")} >= {
        f"pgc1_32x32_{catalog.labels[1]}.RGB.jpg",
        f"pgc2_32x32_{catalog.labels[2]}.RGB.jpg",
    }


def test_the_most_doubtful_galaxies_come_first(shipped_choice, folder):
    from inclinet.prediction.predictor import open_predictor
    from inclinet.serve.candidates import find_candidates

    doubts = [one.doubt for one in find_candidates(folder, open_predictor(shipped_choice)).values()]
    assert doubts == sorted(doubts, reverse=True)
    assert doubts[0] > 0


def test_a_folder_without_images_is_an_error(open_client, tmp_path):
    with pytest.raises(InclinetError, match="no image") as error:
        open_client(label=tmp_path)
    with pytest.raises(InclinetError, match="no such folder") as error:
        open_client(label=tmp_path / "nowhere")
    assert error.value.setting == "label"
