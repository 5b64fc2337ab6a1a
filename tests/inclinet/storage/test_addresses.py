import pytest

from inclinet.errors import InclinetError
from inclinet.storage.addresses import open_named_store, open_store, split_address

NOT_ADDRESSES = ["ftp://x/y", "s3:///prefix", "s3://", "s3:", "s3:/bucket", "S3:/bucket/a", "s3:bucket", "://a", ""]
NOT_ADDRESSES += ["s3://two words/a", "s3://user@host/a", "s3://?/a", "file://data", "https://host/bucket/a"]


@pytest.mark.parametrize("address", NOT_ADDRESSES)
@pytest.mark.parametrize("use", [open_store, split_address])
def test_what_is_no_address_is_refused(address, use):
    with pytest.raises(InclinetError, match="give s3://bucket/prefix or a local folder"):
        use(address)


@pytest.mark.parametrize(
    "address", ["s3://bucket/..", "s3://bucket/a/../../b", "s3://bucket/../b/", "s3://bucket/a\\b"]
)
@pytest.mark.parametrize("use", [open_store, split_address])
def test_addresses_cannot_leave_the_bucket(address, use):
    with pytest.raises(InclinetError, match="does not stay within"):
        use(address)


@pytest.mark.parametrize(
    ("address", "uri", "key"),
    [
        ("s3://bucket", "s3://bucket", ""),
        ("s3://bucket/", "s3://bucket", ""),
        ("s3://bucket//", "s3://bucket", ""),
        ("S3://bucket/a", "s3://bucket", "a"),
        ("s3://bucket/a/", "s3://bucket", "a"),
        ("s3://bucket/a/b.png", "s3://bucket", "a/b.png"),
        ("s3://bucket/a#1/b?.png", "s3://bucket", "a#1/b?.png"),
        ("/a/b.png", "/a", "b.png"),
        ("/a/b/", "/a", "b"),
        ("/a/b/..", "/", "a"),
        ("file:///a/b.png", "/a", "b.png"),
        ("/", "/", ""),
    ],
)
def test_an_address_is_split_into_store_and_key(monkeypatch, address, uri, key):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store, found = split_address(address)
    assert (store.uri, found) == (uri, key)
    assert open_store(address).uri == (f"{uri.rstrip('/')}/{key}".rstrip("/") or "/")


@pytest.mark.parametrize(("address", "key"), [("a/b.png", "b.png"), ("a", "a"), ("./a/", "a"), ("../x/a", "a")])
def test_a_relative_path_starts_at_the_current_folder(tmp_path, monkeypatch, address, key):
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    store, found = split_address(address)
    assert (store.folder / found, found) == ((tmp_path / "x" / address).resolve(), key)
    store, found = split_address(".")
    assert (store.folder, found) == (tmp_path, "x")


def test_a_store_must_be_named(monkeypatch, tmp_path):
    monkeypatch.delenv("INCLINET_STORE", raising=False)
    with pytest.raises(InclinetError, match="INCLINET_STORE") as error:
        open_named_store()
    assert error.value.setting == "store"
    assert open_named_store(str(tmp_path)).uri == str(tmp_path)
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path / "b"))
    assert open_named_store().uri == str(tmp_path / "b")
