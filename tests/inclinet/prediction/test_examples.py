import numpy as np
import pandas as pd

from inclinet.data.samples import Samples
from inclinet.figures.page import Card
from inclinet.prediction.examples import choose_answers, examples_table, worst_galaxies
from tests.conftest import disc

PGCS = np.array([11, 12, 13])


def predictions_of(**errors):
    """Return predictions for two images of each galaxy, off by 1, 20 and 5 deg."""
    rows = [
        {"pgc": pgc, "filter": letter, "inc_m": 60, "inclination": 60 + off + shift, **errors}
        for pgc, off in zip(PGCS, (1, 20, 5), strict=True)
        for letter, shift in (("c", -1), ("g", 1))
    ]
    return pd.DataFrame(rows)


def samples():
    colour = np.stack([disc(48, 60) + band for band in range(3)])
    return {"g": Samples(colour[::-1], np.full(3, 60), PGCS), "RGB": Samples(colour, np.full(3, 60), PGCS)}


def test_the_worst_galaxies_come_first_each_once_and_in_colour():
    first, second = worst_galaxies(predictions_of(), samples(), None, None, None, 2)
    assert (first.title, first.lines, first.flag) == ("PGC 12", ["60° → 80.0°"], "")
    assert (second.title, second.lines) == ("PGC 13", ["60° → 65.0°"])
    assert np.array_equal(first.image, samples()["RGB"].images[1])


def test_error_bars_and_a_shape_against_the_answer_are_told():
    predictions = predictions_of(error=3.0, low68=0.0, high68=90.0)
    predictions["low95"], predictions["high95"] = predictions["inclination"] - 6, predictions["inclination"] + 6
    [worst] = worst_galaxies(predictions, samples(), None, None, None, 1)
    assert worst.lines == ["60° → 80.0 ± 3.0°", "95 %: 74.0–86.0°"]
    assert "rounder than its inclination" in worst.flag


def test_a_galaxy_without_an_image_is_named_all_the_same():
    [one] = worst_galaxies(predictions_of(), {}, None, None, None, 1)
    assert one.image is None
    assert "**PGC 12**<br>60° → 80.0°" in examples_table([one])


def test_the_table_has_two_galaxies_in_a_row():
    lines = examples_table([Card(f"PGC {n}", None, ["60°"], "a; b") for n in range(5)]).splitlines()
    assert len(lines) == 2 + 3
    assert lines[2].count("*a*<br>*b*") == 2
    assert lines[-1].count("PGC") == 1


def answers(flagged, others, missing=1):
    inclinations = [*np.linspace(45, 60, flagged), *np.linspace(50, 90, others), *[np.nan] * missing]
    flags = ["nearly face-on"] * flagged + [""] * others + ["not predicted"] * missing
    return pd.DataFrame({"inclination": inclinations, "flag": flags})


def test_examples_are_half_flagged_and_half_of_all_inclinations():
    chosen = choose_answers(answers(40, 60), 12)
    assert len(chosen) == 12
    assert (chosen["flag"] != "").sum() == 6
    rest = chosen[chosen["flag"] == ""]["inclination"]
    assert (rest.min(), rest.max()) == (50, 90)


def test_few_answers_are_all_examples():
    assert len(choose_answers(answers(2, 3), 12)) == 5
    assert len(choose_answers(answers(30, 2), 12)) == 12
    assert choose_answers(answers(0, 0), 12).empty
