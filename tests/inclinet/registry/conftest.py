"""A store, and versions published in it."""

import pytest

from inclinet.registry.versions import BaselineResult, VersionInfo, VersionResult, publish
from inclinet.storage.addresses import open_store

NETWORK = "Uset_000_model4.keras"


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    uri = str(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("s3_uri")
    return open_store(uri)


@pytest.fixture
def put(store, tmp_path):
    """Publish a version with one network of the given content."""

    def publish_one(content, **info):
        folder = tmp_path / f"version-{content[:10]}"
        folder.mkdir(exist_ok=True)
        (folder / NETWORK).write_text(content)
        (folder / "README.md").write_text("a card")
        return publish(store, folder, VersionInfo(**{"size": 24, "bands": ("c",), **info}))

    return publish_one


@pytest.fixture
def good():
    """What is known about a version that may come into use by itself."""
    baselines = {
        "mean of the labels": BaselineResult(rms=11.9, version_rms=3.1),
        "axis ratio (b_a)": BaselineResult(rms=7.2, version_rms=3.2),
    }
    test = VersionResult(
        prediction="calibrated median",
        by="galaxy",
        rms=3.1,
        mae=2.1,
        bias=0.0,
        images=90,
        galaxies=30,
        baselines=baselines,
    )
    return {"steps": {"model4_0": 60, "model4_1": 60}, "test": test}
