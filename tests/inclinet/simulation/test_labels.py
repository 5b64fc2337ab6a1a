import numpy as np
import pytest

from inclinet.simulation.labels import from_people, to_people


def test_people_agree_with_the_truth_where_it_is_plain_and_say_more_between():
    assert to_people(np.array([0.0, 30.0, 45.0, 90.0])) == pytest.approx([0, 30, 45, 90])
    assert (to_people(np.arange(50, 90)) > np.arange(50, 90)).all()
    assert (np.diff(to_people(np.linspace(0, 90, 200))) > 0).all()


def test_one_is_the_inverse_of_the_other():
    for inclination in (45.0, 52.3, 71.0, 83.4, 89.9):
        assert from_people(float(to_people(inclination))) == pytest.approx(inclination, abs=0.02)
