"""Buckets: names shared out so that one more name changes one bucket and leaves all others as they are."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["buckets", "read_bucket", "write_buckets"]

_ALL = "all"
_MAX_BITS = 64


def buckets(names: Iterable[str], limit: int) -> dict[str, list[str]]:
    """Share names out over buckets of at most `limit` names each.

    A bucket holds the names whose SHA-256 begins with the same bits. A bucket that gets too full is split in two by
    the next bit; no other bucket changes. So the result depends only on the set of names, and one name more or less
    changes one bucket, splits one or joins two: the changed buckets hold at most ``limit + 1`` names. Where there are
    many names, buckets are from about half full to full.

    Parameters
    ----------
    names : iterable of str
        In any order; a repeated name counts once.
    limit : int
        Largest number of names in a bucket, at least 1.

    Returns
    -------
    dict of str to list of str
        Names in alphabetical order by bucket, buckets in alphabetical order. A bucket is called by its bits, such as
        ``0110``, or ``all`` where there is only one.
    """
    hashed = {name: f"{int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big'):064b}" for name in names}
    found: dict[str, list[str]] = {}
    waiting = {"": sorted(hashed)} if hashed else {}
    while waiting:
        bits, members = waiting.popitem()
        if len(members) <= limit or len(bits) == _MAX_BITS:
            found[bits or _ALL] = members
            continue
        for bit in "01":
            if half := [name for name in members if hashed[name].startswith(bits + bit)]:
                waiting[bits + bit] = half
    return dict(sorted(found.items()))


def write_buckets(path: Path, rows: Mapping[str, list]) -> None:
    """Write the rows of each bucket as one JSON object, a line for each bucket."""
    lines = ",\n".join(f"{json.dumps(bucket)}: {json.dumps(members)}" for bucket, members in rows.items())
    path.write_text(f"{{\n{lines}\n}}\n")


def read_bucket(path: Path, bucket: str) -> list[Any]:
    """Return the rows of one bucket of such a file; the other lines are not parsed, which keeps the memory flat.

    Raises
    ------
    KeyError
        When there is no such bucket.
    """
    start = f"{json.dumps(bucket)}: "
    with path.open() as file:
        for line in file:
            if line.startswith(start):
                return json.loads(line.removeprefix(start).rstrip(",\n"))
    raise KeyError(bucket)
