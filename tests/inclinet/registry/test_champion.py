import pytest

from inclinet.errors import InclinetError
from inclinet.registry.champion import choose_version, describe, promote, read_champion


def test_a_version_is_promoted_and_rolled_back(store, put):
    assert read_champion(store) is None
    with pytest.raises(InclinetError, match="no version is in use; run `inclinet models`"):
        choose_version(store)
    first, second = put("one"), put("two")
    promote(store, first.version, "first")
    champion = promote(store, second.version, "better")
    assert (champion.version, champion.previous, champion.why) == (second.version, first.version, "better")
    assert choose_version(store) == second
    assert choose_version(store, first.version) == first
    assert promote(store, second.version, "again") == champion
    promote(store, champion.previous, "rolled back")
    assert choose_version(store) == first


def test_an_unknown_version_cannot_be_promoted(store):
    with pytest.raises(InclinetError, match="there is no version"):
        promote(store, "20200101-0123456789", "why")


def test_a_damaged_record_of_the_champion_is_named_and_replaced(store, put):
    published = put("one")
    store.write("registry/champion.json", b"[]")
    with pytest.raises(InclinetError, match=r"champion\.json is damaged"):
        choose_version(store)
    assert promote(store, published.version, "repaired").previous is None
    assert choose_version(store) == published


def test_a_version_is_described_in_one_row(store, put, good):
    published = put("one", run="inclinet-0a1b2c3d", **good)
    row = describe(published, promote(store, published.version, "first"))
    assert (row["in use"], row["networks"], row["RMS (deg)"], row["test galaxies"]) == ("yes", "model4_0", "3.10", "30")
    untested = describe(put("two"), read_champion(store))
    assert (untested["in use"], untested["RMS (deg)"], untested["test galaxies"]) == ("", "–", "–")
