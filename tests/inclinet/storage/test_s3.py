"""Which endpoint, account, encryption and checksum a bucket has, on real S3 servers."""

import json
import re
from pathlib import Path
from uuid import uuid4

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from inclinet.errors import InclinetError
from inclinet.storage.addresses import open_store
from inclinet.storage.artifacts import Artifacts
from inclinet.storage.s3 import upload_options
from tests.conftest import ROOT

pytest.importorskip("moto.server", reason="needs the extra `dev`")

from moto.core.authorization import enable_iam_authentication
from moto.server import ThreadedMotoServer

BUCKET, PREFIX, INPUT = "artifacts", "production", "galaxies"
FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3", "AWS_SHARED_CREDENTIALS_FILE")


@pytest.fixture(scope="module")
def server():
    """The address of a server of S3, IAM and KMS that keeps everything in memory."""
    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def administrator(server, monkeypatch):
    """An S3 client that may do everything; its address and keys are in the environment, and there are two buckets."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    settings = {"ENDPOINT_URL": server, "DEFAULT_REGION": "us-east-1", "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "a"}
    for name, value in settings.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("s3")
    for bucket in (BUCKET, INPUT):
        client.create_bucket(Bucket=bucket)
    return client


def documented(first):
    """Return the JSON in docs/operations.md whose first name is this."""
    page = (ROOT / "docs" / "operations.md").read_text()
    [text] = re.findall(rf"```json\n(\{{\n *\"{first}\".*?\n\}})\n```", page, re.DOTALL)
    return text


def documented_policy():
    """Return the policy in docs/operations.md, for the buckets of these tests."""
    text = documented("Version")
    for name, value in {"BUCKET": BUCKET, "PREFIX": PREFIX, "INPUT": INPUT}.items():
        assert name in text
        text = text.replace(name, value)
    return text


@pytest.fixture
def restricted(administrator, monkeypatch):
    """From here on, the server checks keys, and those in the environment may do what the documented policy allows."""
    administrator.put_object(Bucket=INPUT, Key="sdss/pgc1.png", Body=b"light")
    administrator.put_object(Bucket=BUCKET, Key="elsewhere/a", Body=b"of others")
    iam = boto3.client("iam")
    user = f"worker-{uuid4()}"
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="inclinet", PolicyDocument=documented_policy())
    key = iam.create_access_key(UserName=user)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    with enable_iam_authentication():
        yield boto3.session.Session().client("s3")  # not the default session, which keeps the first keys


def test_the_documented_policy_is_enough(restricted, tmp_path):
    store = open_store(f"s3://{BUCKET}/{PREFIX}")
    artifacts = Artifacts(store, tmp_path / "cache", 2**30)

    def work(folder: Path):
        (folder / "large.bin").write_bytes(b"x" * (70 * 2**20))  # in parts
        return {}

    made = artifacts.make("prep", "g", inputs={}, settings={}, code="1", work=work)
    assert artifacts.fetch(made, tmp_path / "here", ["large.bin"])[0].stat().st_size == 70 * 2**20
    assert list(store.folders("artifacts"))
    store.delete(f"{made.key}/manifest.json")
    source = open_store(f"s3://{INPUT}")
    assert [entry.key for entry in source.list("sdss")] == ["sdss/pgc1.png"]
    assert source.read("sdss/pgc1.png") == b"light"


def test_the_documented_rule_removes_uploads_that_were_cut_off(administrator):
    rules = json.loads(documented("Rules").replace("PREFIX", PREFIX))
    administrator.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration=rules)
    [rule] = administrator.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule == rules["Rules"][0]
    assert rule["Status"] == "Enabled"
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] > 1  # longer than any upload
    # It removes nothing else, and covers all that Inclinet writes.
    assert not rule.keys() & {"Expiration", "Transitions", "NoncurrentVersionExpiration"}
    store = open_store(f"s3://{BUCKET}/{PREFIX}")
    store.write("runs/a", b"1")
    [written] = administrator.list_objects_v2(Bucket=BUCKET, Prefix=rule["Filter"]["Prefix"] + "runs/")["Contents"]
    assert written["Key"] == f"{PREFIX}/runs/a"


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.put_object(Bucket=INPUT, Key="sdss/pgc1.png", Body=b"dark"),
        lambda client: client.delete_object(Bucket=INPUT, Key="sdss/pgc1.png"),
        lambda client: client.get_object(Bucket=BUCKET, Key="elsewhere/a"),
        lambda client: client.put_object(Bucket=BUCKET, Key="elsewhere/a", Body=b"mine"),
        lambda client: client.list_buckets(),
        lambda client: client.create_bucket(Bucket="new"),
        lambda client: client.delete_bucket(Bucket=INPUT),
    ],
)
def test_the_documented_policy_is_no_more_than_enough(restricted, use):
    with pytest.raises(ClientError) as refused:
        use(restricted)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_uploads_are_encrypted_and_carry_a_checksum_if_wanted(administrator, monkeypatch, tmp_path):
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    monkeypatch.setenv("INCLINET_S3_SSE", "aws:kms")
    monkeypatch.setenv("INCLINET_S3_KMS_KEY", key)
    monkeypatch.setenv("INCLINET_S3_CHECKSUM", "SHA256")
    (tmp_path / "a.bin").write_bytes(b"x" * (70 * 2**20))
    store = open_store(f"s3://{BUCKET}/kms")
    store.put(tmp_path / "a.bin", "a.bin")
    store.write("b.json", b"{}")
    for name in ("a.bin", "b.json"):
        found = administrator.head_object(Bucket=BUCKET, Key=f"kms/{name}", ChecksumMode="ENABLED")
        assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)
        assert found["ChecksumSHA256"]
    store.get("a.bin", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"x" * (70 * 2**20)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("INCLINET_S3_SSE", "kms", "choose from AES256, aws:kms"),
        ("INCLINET_S3_CHECKSUM", "MD5", "choose from SHA256"),
        ("INCLINET_S3_KMS_KEY", "alias/galaxies", "set INCLINET_S3_SSE=aws:kms"),
    ],
)
def test_unknown_encryption_is_refused(monkeypatch, variable, value, reason):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InclinetError, match=f"{variable} is .*{reason}"):
        upload_options()


@pytest.fixture
def archive(administrator, monkeypatch, tmp_path):
    """Images on a second server with keys of its own, which a profile names; artifacts stay on the first."""
    pytest.importorskip("psutil", reason="needs the extra `service`")
    from deployments.object_store import running_object_store

    with running_object_store(tmp_path / "archive", "survey") as its:
        (tmp_path / "archive" / "survey" / "pgc1.png").write_bytes(b"light")
        profile = {
            "endpoint_url": its["AWS_ENDPOINT_URL"],
            "region": "eu-central-1",
            "aws_access_key_id": its["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": its["AWS_SECRET_ACCESS_KEY"],
        }
        lines = ["[profile archive]", *(f"{name} = {value}" for name, value in profile.items())]
        (tmp_path / "config").write_text("\n".join(lines))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        yield


def test_inputs_can_be_on_another_server_than_artifacts(archive, administrator, monkeypatch):
    monkeypatch.setenv("INCLINET_PROFILES", "survey=archive")
    survey, artifacts = open_store("s3://survey"), open_store(f"s3://{BUCKET}/two")
    artifacts.write("copy", survey.read("pgc1.png"))
    assert administrator.get_object(Bucket=BUCKET, Key="two/copy")["Body"].read() == b"light"
    assert httpx.get(survey.link("pgc1.png")).content == b"light"
    monkeypatch.delenv("INCLINET_PROFILES")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        open_store("s3://survey").write("a", b"")


@pytest.mark.parametrize(
    ("profiles", "reason"),
    [
        ("survey", "give bucket=profile"),
        ("survey=", "give bucket=profile"),
        ("survey=gone", "gone.* not be"),
    ],
)
def test_profiles_that_cannot_be_used_are_named(archive, monkeypatch, profiles, reason):
    monkeypatch.setenv("INCLINET_PROFILES", profiles)
    with pytest.raises(InclinetError, match=rf"INCLINET_PROFILES.*{reason}"):
        open_store("s3://survey")
