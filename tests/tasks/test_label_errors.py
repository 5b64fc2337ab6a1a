"""The task that collects the errors of the labels, on a local store and without a server."""

import pytest
from prefect.logging import disable_run_logger

from inclinet.storage.artifacts import Reference
from inclinet.training.label_errors import read_label_errors
from tasks.common import artifacts
from tasks.filenames import CATALOG_FILE, LABEL_ERRORS_FILE
from tasks.label_errors import label_errors_task
from tests.conftest import write_catalog


@pytest.fixture
def collect(tmp_path, monkeypatch):
    """A function that gives the task a catalogue, and returns the reference."""
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))

    def go(rows) -> Reference | None:
        def work(folder):
            write_catalog(folder / CATALOG_FILE, rows)
            return {}

        catalogue = artifacts().make("catalogue", "catalogue", inputs={}, settings=str(rows), code="", work=work)
        with disable_run_logger():
            return label_errors_task.fn(catalogue).data

    return go


def row(pgc, **cells):
    return {"pgc": pgc, "inc": 60, "inc_flg": 0, "fon": "", "inc_note": "", "ra": 1} | cells


def test_the_rest_of_the_catalogue_does_not_matter(collect, tmp_path):
    first, again = collect([row(1, inc_e=2.5), row(2, inc_e="")]), collect([row(1, inc_e=2.5, ra=9), row(2, inc_e="")])
    assert first == again
    assert collect([row(1, inc_e=3)]).digest != first.digest
    [path] = artifacts().fetch(first, tmp_path / "fetched", [LABEL_ERRORS_FILE])
    assert read_label_errors(path) == {1: 2.5}


def test_a_catalogue_without_errors_needs_no_artifact(collect):
    assert collect([row(1)]) is None
    assert collect([row(1, inc_e=0)]) is None
