import pytest

from inclinet.errors import InclinetError
from inclinet.registry.champion import promote, read_champion


def test_a_version_is_promoted_and_rolled_back(store, put):
    assert read_champion(store) is None
    first, second = put("one"), put("two")
    promote(store, first.version, "first")
    champion = promote(store, second.version, "better")
    assert (champion.version, champion.previous, champion.why) == (second.version, first.version, "better")
    assert read_champion(store) == champion
    assert promote(store, second.version, "again") == champion
    promote(store, champion.previous, "rolled back")
    assert read_champion(store).version == first.version


def test_an_unknown_version_cannot_be_promoted(store):
    with pytest.raises(InclinetError, match="there is no version"):
        promote(store, "20200101-0123456789", "why")


def test_a_damaged_record_of_the_champion_is_named_and_replaced(store, put):
    published = put("one")
    store.write("registry/champion.json", b"[]")
    with pytest.raises(InclinetError, match=r"champion\.json is damaged"):
        read_champion(store)
    assert promote(store, published.version, "repaired").previous is None
    assert read_champion(store).version == published.version
