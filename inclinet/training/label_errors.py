"""How much each label weighs in training, by the error that the catalogue gives it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from inclinet.storage.atomic import write_text

__all__ = ["LabelErrors", "label_weights", "read_label_errors", "write_label_errors"]

LabelErrors = Mapping[int, float]
"""Errors of labels (deg), by PGC number."""

_PEOPLE = 2.6  # deg: people agree with each other to about so much; the error of labels without one
_NETWORK = 3.0  # deg: the error of a network, which exact labels would have, too


def label_weights(pgcs: np.ndarray, errors: LabelErrors) -> np.ndarray:
    """Return the weight of the label of each image: inversely to the variance of prediction minus label.

    A label without an error, or with one of 2.6 deg, weighs 1; one of 1 deg 1.6, of 5 deg 0.46. So the weight of a
    galaxy does not depend on the others.

    Parameters
    ----------
    pgcs : ndarray of int, shape (N,)
    errors : mapping of int to float

    Returns
    -------
    ndarray of float32, shape (N,)
    """
    sigma = np.array([errors.get(pgc, _PEOPLE) for pgc in pgcs.tolist()], float)
    return ((_NETWORK**2 + _PEOPLE**2) / (_NETWORK**2 + sigma**2)).astype(np.float32)


def write_label_errors(path: Path, errors: LabelErrors) -> Path:
    """Write the errors of labels as JSON, in the order of the PGC numbers."""
    write_text(path, json.dumps({str(pgc): errors[pgc] for pgc in sorted(errors)}))
    return path


def read_label_errors(path: Path) -> dict[int, float]:
    """Return the errors of labels that `write_label_errors` wrote."""
    return {int(pgc): float(error) for pgc, error in json.loads(path.read_text()).items()}
