import pytest

from inclinet.errors import InclinetError
from inclinet.records import Record, read_record


class Point(Record):
    x: int
    name: str = ""


def test_a_record_is_read_from_its_json(tmp_path):
    path = tmp_path / "point.json"
    assert read_record(Point, path) is None
    path.write_text(Point(x=3, name="Öpik").model_dump_json(), encoding="utf-8")
    assert read_record(Point, path) == Point(x=3, name="Öpik")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{",
        b"{}",
        b'{"x": "many"}',
        b'{"x": null}',
        b'{"x": 3, "y": 4}',
        b'{"x": 3, "name": "\xff"}',
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"x": ' + b"9" * 10_000 + b".5}",
    ],
    ids=lambda content: str(content[:30]),
)
def test_anything_else_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "point.json"
    path.write_bytes(content)
    with pytest.raises(InclinetError, match=r"point\.json: damaged, or written by another version"):
        read_record(Point, path)
