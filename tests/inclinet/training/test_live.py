import numpy as np
import pytest

from inclinet.data.inclination import UNIT
from inclinet.training.live import draw_errors, duration, error_text

LEFT = {str(step): {"mae": 0.4 / step, "val_mae": None, "left_mae": 0.5 / step} for step in range(1, 11)}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"mae": 0.1, "val_mae": 0.3, "left_mae": 0.2}, "left-out MAE 4.5 deg"),
        ({"mae": 0.1, "val_mae": 0.3, "left_mae": None}, "test set MAE 6.8 deg"),
        ({"mae": 0.1, "val_mae": None, "left_mae": None}, "training MAE 2.2 deg"),
        ({"mae": None}, "MAE not known"),
    ],
)
def test_the_error_is_that_on_galaxies_not_trained_on(metrics, expected):
    assert error_text(metrics) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(45, "45 s"), (720, "12 min"), (9000, "2.5 h")])
def test_durations_are_short(seconds, expected):
    assert duration(seconds) == expected


def test_each_network_has_its_errors_in_degrees():
    training = {str(step): {"mae": 1.0, "val_mae": None, "left_mae": None} for step in range(1, 4)}
    [axes] = draw_errors({"a_0": LEFT, "a_1": training, "a_2": {}}, 20).axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert set(lines) == {"a_0", "a_1"}
    assert np.allclose(lines["a_0"].get_ydata(), UNIT * 0.5 / np.arange(1, 11))
    assert len(axes.lines) == 3
    assert axes.get_xlim()[1] == 20.5
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] > UNIT * 1.05  # no point on the edge
    assert "left-out galaxies or training" in axes.get_title(loc="left")


def test_there_is_no_figure_before_the_first_step():
    assert draw_errors({"a_0": {}}, 20) is None
