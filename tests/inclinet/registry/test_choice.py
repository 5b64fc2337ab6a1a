"""Which version predicts, with and without a store, with and without a shipped version."""

import pytest

from inclinet.errors import InclinetError
from inclinet.registry import choice as module
from inclinet.registry.champion import promote
from inclinet.registry.choice import choose

SHIPPED_NAME = "20260101-0123456789"


@pytest.fixture
def ships(monkeypatch, put):
    """Let this installation ship a version, or none."""

    def ship(any_version=True):
        shipped = put("shipped").model_copy(update={"version": SHIPPED_NAME}) if any_version else None
        monkeypatch.setattr(module, "read_shipped", lambda: shipped)

    monkeypatch.delenv("INCLINET_STORE", raising=False)
    ship(False)
    return ship


def test_the_version_in_use_predicts_or_the_one_that_is_named(store, put, ships, monkeypatch):
    ships()
    first, second = put("one"), put("two")
    promote(store, second.version, "better")
    assert choose(store).published == second
    assert choose(store.uri).published == second
    assert choose(store, first.version).published == first
    monkeypatch.setenv("INCLINET_STORE", store.uri)
    chosen = choose()
    assert (chosen.published, chosen.origin) == (second, store.uri)
    assert chosen.statement.startswith(f"version {second.version}: trained on ")


def test_without_a_store_the_shipped_version_predicts(ships):
    ships()
    for version in (None, "shipped", SHIPPED_NAME):
        chosen = choose(None, version)
        assert chosen.published.version == SHIPPED_NAME
        assert chosen.store is None
        assert chosen.origin.startswith("inclinet ")
        assert chosen.statement.startswith(f"version {SHIPPED_NAME}, shipped with inclinet ")
    with pytest.raises(
        InclinetError, match=r"version 20260101-9876543210 does not ship with inclinet .*INCLINET_STORE"
    ):
        choose(None, "20260101-9876543210")


def test_the_shipped_version_can_be_named_beside_a_store(store, put, ships):
    ships()
    promote(store, put("one").version, "first")
    for version in ("shipped", SHIPPED_NAME):
        assert choose(store, version).published.version == SHIPPED_NAME


def test_a_store_without_a_version_in_use_falls_back_on_the_shipped_one_and_says_so(store, ships):
    ships()
    chosen = choose(store)
    assert chosen.published.version == SHIPPED_NAME
    assert f", because no version is in use in {store.uri}: trained on" in chosen.statement
    assert "because" not in choose(store, "shipped").statement


def test_where_nothing_ships_errors_say_what_to_do(store, put, ships):
    with pytest.raises(
        InclinetError, match="no store is named, and this installation of inclinet ships no version: set"
    ):
        choose()
    with pytest.raises(
        InclinetError, match="no version is in use, and this installation .* run `inclinet models`, then"
    ):
        choose(store)
    with pytest.raises(InclinetError, match="ships no version; name one of a store, as `inclinet models` lists them"):
        choose(store, "shipped")
    with pytest.raises(InclinetError, match="there is no version"):
        choose(store, "20260101-9876543210")


def test_a_damaged_record_of_the_champion_is_an_error_and_not_passed_over(store, ships):
    ships()
    store.write("registry/champion.json", b"[]")
    with pytest.raises(InclinetError, match=r"champion\.json is damaged"):
        choose(store)
