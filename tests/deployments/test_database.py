"""The empty database that a server starts from."""

import sqlite3
import sys
from contextlib import closing

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from deployments import database


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The empty database of an installation that has none yet."""
    folder = tmp_path_factory.mktemp("installation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "prefix", str(folder))
        yield database.make_empty_database()


def revision(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()


def test_it_is_made_once(made):
    assert database.empty_database() == made
    assert revision(made)
    before = made.stat()
    assert database.make_empty_database() == made
    assert made.stat() == before
    assert [path.name for path in made.parent.iterdir()] == [made.name]


def test_a_server_starts_from_a_copy_but_never_over_its_own(made, tmp_path):
    path = tmp_path / "new" / "prefect.db"
    database.provide_database(path)
    assert path.read_bytes() == made.read_bytes()
    path.write_bytes(b"its own")
    database.provide_database(path)
    assert path.read_bytes() == b"its own"


def test_an_installation_without_one_starts_as_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    database.provide_database(tmp_path / "prefect.db")
    assert not list(tmp_path.iterdir())
