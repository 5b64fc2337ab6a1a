"""What an upgrade changes, and what a person keeps."""

import pytest

from deployments.merging import MISSING, describe, digests_of, merge

SIZE, SEED, TAG = ("parameters", "size"), ("parameters", "seed"), ("tags", "nightly")


@pytest.mark.parametrize(
    ("before", "wanted", "found", "value"),
    [
        ({SIZE: 64}, {SIZE: 64}, {SIZE: 64}, 64),
        ({SIZE: 64}, {SIZE: 128}, {SIZE: 64}, 128),  # the project changes it
        ({SIZE: 64}, {SIZE: 64}, {SIZE: 32}, 32),  # a person has changed it
        ({SIZE: 64}, {SIZE: 128}, {SIZE: 32}, 32),  # both
        ({SIZE: 64}, {}, {SIZE: 64}, MISSING),  # the project no longer wants it
        ({SIZE: 64}, {}, {SIZE: 32}, 32),
        ({SIZE: 64}, {SIZE: 64}, {}, MISSING),  # a person has removed it
        ({}, {}, {SIZE: 32}, 32),  # a person has added it
        ({}, {SIZE: 64}, {}, 64),  # new in the project
        ({SIZE: False}, {SIZE: False}, {SIZE: 0}, 0),  # the type counts
    ],
)
def test_what_a_person_has_set_stays_and_the_rest_is_the_projects(before, wanted, found, value):
    result = merge(wanted, found, digests_of(before))
    assert result.values.get(SIZE, MISSING) is value or result.values[SIZE] == value
    differs = wanted.get(SIZE) is not found.get(SIZE)
    assert (SIZE in result.kept, SIZE in result.changed) == (differs and value == found.get(SIZE, MISSING), False) or (
        SIZE in result.changed and value == wanted.get(SIZE, MISSING)
    )


def test_without_a_record_what_differs_counts_as_set_by_a_person():
    result = merge({SIZE: 64, SEED: 1}, {SIZE: 32, TAG: True}, None)
    assert result.values == {SIZE: 32, SEED: 1, TAG: True}
    assert (result.kept, result.changed) == ([SIZE, TAG], {SEED: (MISSING, 1)})


def test_what_a_person_decides_in_a_file_wins_when_the_file_changes():
    how = {"found": {SIZE: 32}, "before": digests_of({SIZE: 64}), "decided": {SIZE}}
    assert merge({SIZE: 128}, **how).values == {SIZE: 128}
    assert merge({SIZE: 64}, **how).values == {SIZE: 32}


def test_reports_show_short_values_but_no_possible_secret():
    assert describe(SIZE, (64, 128)) == "parameter size 64 → 128"
    assert describe(SIZE, (MISSING, "x" * 100)) == "parameter size"
    assert describe(("job_variables", "env"), ({}, {"KEY": "secret"})) == "job variable env"
    assert describe(("schedules", "weekly", "active"), (True, False)) == "schedule weekly active True → False"
    assert describe(("work_pool_name",)) == "work pool name"
