import hashlib

import httpx
import pytest

from inclinet.errors import InclinetError
from inclinet.storage.addresses import open_store, split_address
from inclinet.storage.bucket import _fingerprint_of
from inclinet.storage.store import check_key


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    """A store in a folder, and one on a real S3 server."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(request.getfixturevalue("s3_uri"))


def test_objects_are_read_back(store, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"x" * 100_000)
    store.put(tmp_path / "a.bin", "one/a.bin")
    store.write("one/b.json", b"{}")
    store.write("one/deeper/c", b"1")
    store.get("one/a.bin", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"x" * 100_000
    assert store.read("one/b.json") == b"{}"
    assert {(entry.key, entry.size) for entry in store.list("one")} == {("one/a.bin", 100_000), ("one/b.json", 2)}
    store.delete("one/b.json")
    store.delete("one/b.json")
    assert [entry.key for entry in store.list("one")] == ["one/a.bin"]
    assert list(store.list("nothing")) == []


def test_a_missing_object_is_named_and_leaves_nothing(store, tmp_path):
    with pytest.raises(FileNotFoundError, match="no/such"):
        store.read("no/such")
    with pytest.raises(FileNotFoundError, match="no/such"):
        store.get("no/such", tmp_path / "new")
    assert not list(tmp_path.glob("*new*"))


def test_the_tag_changes_with_the_content(store):
    store.write("one/a", b"1")
    [before] = store.list("one")
    store.write("one/a", b"2")
    [after] = store.list("one")
    assert before.tag != after.tag
    assert store.read_with_fingerprint("one/a") == (b"2", after.fingerprint)


def test_the_listing_of_a_bucket_tells_contents_apart(s3_uri):
    store = open_store(s3_uri)
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        store.write(f"one/{name}", content)
    same, as_before, other = sorted(store.list("one"), key=lambda entry: entry.key)
    assert same.fingerprint == as_before.fingerprint == hashlib.md5(b"1").hexdigest()
    assert other.fingerprint != same.fingerprint


@pytest.mark.parametrize("etag", [f'"{"0" * 32}-2"', '"mtime-1"', ""])
def test_the_etag_of_an_upload_in_parts_is_no_fingerprint(etag):
    """It depends on the parts; other servers' ETags may be anything."""
    assert _fingerprint_of(f'"{"A" * 32}"') == "a" * 32
    assert _fingerprint_of(etag) == ""


def test_links_that_form_a_circle_are_not_followed_for_ever(tmp_path):
    store = open_store(str(tmp_path))
    store.write("one/a", b"1")
    store.write("two/b", b"2")
    (tmp_path / "one" / "up").symlink_to(tmp_path)
    (tmp_path / "one" / "other").symlink_to(tmp_path / "two")
    (tmp_path / "two" / "back").symlink_to(tmp_path / "one")
    (tmp_path / "two" / "itself").symlink_to("itself")
    keys = ["one/a", "one/other/b", "two/b", "two/back/a"]
    assert sorted(entry.key for entry in store.walk("")) == keys
    assert sorted(entry.key for entry in store.walk("one/up/two")) == ["one/up/two/b", "one/up/two/back/a"]


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../up", "a/../../b", "a\\b", "a\0b"])
def test_keys_cannot_leave_the_store(store, key):
    for use in (store.read, store.delete, lambda k: store.write(k, b"")):
        with pytest.raises(InclinetError, match="does not stay within"):
            use(key)


def test_keys_that_stay():
    assert check_key("a/b.c") == "a/b.c"


def test_the_root_of_a_store_is_listed(store):
    store.write("a.png", b"1")
    store.write("folder/b.png", b"12")
    assert {(entry.key, entry.size) for entry in store.list("")} == {("a.png", 1)}
    assert list(store.folders("")) == ["folder"]
    assert [entry.key for entry in store.list("folder/")] == ["folder/b.png"]


def test_the_root_of_a_bucket_is_listed(s3_server, s3_uri):
    open_store(s3_uri).write("a.png", b"1")
    for address in ("s3://tests", "s3://tests/", "S3://tests//"):
        store, key = split_address(address)
        assert s3_uri.rpartition("/")[2] in store.folders(key)
        assert not any(entry.key.endswith("a.png") for entry in store.list(key))
    store, key = split_address(f"{s3_uri}/")
    assert [store.read(entry.key) for entry in store.list(key)] == [b"1"]


def test_folders_and_files_being_written_are_not_listed(tmp_path):
    for name in ("a", ".part-1", ".old-a-1"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.txt").write_text("")
    store = open_store(str(tmp_path))
    assert list(store.folders("")) == ["a"]
    assert [entry.key for entry in store.list("")] == ["a.txt"]


def test_a_link_opens_in_a_browser_that_knows_no_key(s3_uri, monkeypatch):
    store = open_store(s3_uri)
    store.write("runs/a run/report.html", b"<title>Report</title>")
    link = store.link("runs/a run/report.html")
    found = httpx.get(link)
    assert (found.status_code, found.text) == (200, "<title>Report</title>")
    assert found.headers["Content-Type"].startswith("text/html")
    assert "X-Amz-Expires=604800" in link
    assert httpx.get(link.partition("?")[0]).is_error
    monkeypatch.setenv("INCLINET_LINKS", "https://store.example")
    assert store.link("a.csv").startswith("https://store.example/tests/")


def test_there_are_no_links_to_local_files(tmp_path):
    assert open_store(str(tmp_path)).link("report.html") is None
