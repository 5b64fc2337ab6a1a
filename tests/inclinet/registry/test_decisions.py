from datetime import UTC, datetime

import pytest

from inclinet.errors import InclinetError
from inclinet.registry.decisions import Decision, read_decision, record_decision

VERSION = "20260101-0123456789"
DECISION = Decision(
    challenger=VERSION, champion=None, promoted=False, why="too few steps", when=datetime(2026, 1, 1, tzinfo=UTC)
)


def test_the_last_decision_is_read(store):
    assert read_decision(store, VERSION) is None
    record_decision(store, DECISION)
    assert read_decision(store, VERSION) == DECISION
    later = DECISION.model_copy(update={"promoted": True})
    record_decision(store, later)
    assert read_decision(store, VERSION) == later


@pytest.mark.parametrize("content", [b"null", b"{}", b"\xff"])
def test_a_decision_that_cannot_be_read_does_not_count(store, content):
    store.write(f"registry/decisions/{VERSION}.json", content)
    assert read_decision(store, VERSION) is None


def test_decisions_stay_within_their_folder(store):
    with pytest.raises(InclinetError, match="does not stay within"):
        read_decision(store, "../../secrets")
