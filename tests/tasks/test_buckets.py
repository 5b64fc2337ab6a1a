import json

import pytest

from tasks.buckets import buckets, read_bucket, write_buckets


def names(number):
    return [str(pgc) for pgc in range(1, number + 1)]


def changed(before, after):
    """Return the buckets that are new or hold other names than before, with their names."""
    return {bucket: members for bucket, members in after.items() if before.get(bucket) != members}


@pytest.mark.parametrize("number", [1, 499, 500, 501, 1000, 20_000])
def test_every_name_is_in_one_bucket_and_no_bucket_is_too_full(number):
    found = buckets(names(number), 500)
    assert sorted(name for members in found.values() for name in members) == sorted(names(number))
    assert max(map(len, found.values())) <= 500


def test_no_names_no_buckets():
    assert buckets([], 500) == {}


def test_the_order_of_the_names_and_repeated_ones_change_nothing():
    assert buckets([*reversed(names(2000)), "7"], 500) == buckets(names(2000), 500)


@pytest.mark.parametrize("number", [499, 500, 1000, 1999, 20_000])
def test_one_more_name_changes_one_bucket(number):
    changes = changed(buckets(names(number), 500), buckets(names(number + 1), 500))
    assert len(changes) <= 2  # 2 when the bucket it falls into is split
    assert sum(map(len, changes.values())) <= 501


def test_no_number_of_names_changes_more_than_one_bucket_at_a_time():
    before = buckets(names(900), 20)
    for number in range(901, 1100):
        after = buckets(names(number), 20)
        assert sum(map(len, changed(before, after).values())) <= 21
        before = after


def test_a_name_less_gives_what_there_was_before():
    assert buckets(names(501)[:-1], 500) == buckets(names(500), 500)


def test_fifty_more_of_20000_change_at_most_fifty_buckets():
    before, after = buckets(names(20_000), 500), buckets(names(20_050), 500)
    assert len(changed(before, after)) <= 50
    # About 300 prep tasks for the four bands together.
    assert len(before) <= 75


def test_the_rows_of_buckets_are_json_and_read_one_bucket_at_a_time(tmp_path):
    rows = {"00": [[1, "pgc1_é.png", "F"], [2, 'a"\n,b', "50"]], "01": [], "1": [[3, "x", "0"]]}
    write_buckets(tmp_path / "files.json", rows)
    assert json.loads((tmp_path / "files.json").read_text()) == rows
    assert {bucket: read_bucket(tmp_path / "files.json", bucket) for bucket in rows} == rows
    with pytest.raises(KeyError):
        read_bucket(tmp_path / "files.json", "0")
