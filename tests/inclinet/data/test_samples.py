import numpy as np
import pytest

from inclinet.data.samples import Batch, batchsize_of, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.storage.npz import write_arrays


def write_sample(path, size=8, **changed):
    """Write a sample file of three galaxies."""
    arrays = {
        "images": np.arange(3 * size * size * 3, dtype=np.uint8).reshape(3, size, size, 3),
        "labels": np.array([45, 60, 90], np.int32),
        "pgcIDs": np.array([1, 2, 3], np.int32),
    }
    return write_arrays(path, arrays | changed)


def test_samples_are_found_and_read_by_band(tmp_path):
    for band in ("RGB", "r"):
        write_sample(tmp_path / f"{band}_8x8_train_002.npz")
    write_sample(
        tmp_path / "i_8x8_train_002.npz",
        images=np.empty((0, 8, 8, 3), np.uint8),
        labels=np.empty(0, np.int32),
        pgcIDs=np.empty(0, np.int32),
    )
    paths = find_samples(tmp_path, 8, "train", 2)
    assert list(paths) == ["RGB", "r", "i"]
    samples = read_samples(paths, 8)
    assert list(samples) == ["RGB", "r"]
    assert (samples["r"].labels.tolist(), samples["r"].pgcs.tolist()) == ([45, 60, 90], [1, 2, 3])


def test_errors_name_the_setting(tmp_path):
    with pytest.raises(InclinetError, match=r"no sample file such as g_8x8_test_000\.npz") as error:
        find_samples(tmp_path, 8, "test", 0)
    assert error.value.setting == "infolder"
    path = write_sample(tmp_path / "g_8x8_test_000.npz", size=16)
    with pytest.raises(InclinetError, match=r"shape \(3, 16, 16, 3\), not integers of shape \(N, 8, 8, 3\)") as error:
        read_samples({"g": path}, 8)
    assert error.value.setting == "size"


@pytest.mark.parametrize("name", ["labels", "pgcIDs"])
@pytest.mark.parametrize(
    "numbers", [[-(2**63), 60, 60], [2**31, 60, 60], [-(2**31) - 1, 60, 60], [60, np.nan, 60], [60, 60, np.inf]]
)
def test_numbers_that_do_not_fit_are_refused(tmp_path, name, numbers):
    path = write_sample(tmp_path / "a.npz", **{name: np.array(numbers)})
    with pytest.raises(InclinetError, match=f"a.npz: {name} holds a number that is not finite or too large"):
        read_samples({"g": path}, 8)


def test_a_label_outside_the_regression_is_refused(tmp_path):
    path = write_sample(tmp_path / "a.npz", labels=np.array([44, 60, 60]))
    with pytest.raises(InclinetError, match="labels outside 45–90 deg"):
        read_samples({"g": path}, 8)


@pytest.mark.parametrize("raw", [True, False])
def test_a_stored_batch_is_read_back(tmp_path, raw):
    labels = np.array([50, 50, 60, 60, 50, 50, 60, 60], np.int32)
    filters = np.array([b"c"] * 4 + [b"g", b"r", b"i", b"g"])
    batch = Batch(np.zeros((8, 8, 8, 3), np.uint8), labels, np.arange(8, dtype=np.int32), filters)
    path = batch.write(tmp_path / "batch.npz", raw=raw)
    again = Batch.read(path)
    assert isinstance(again.images, np.memmap) == raw
    for name in ("images", "labels", "pgcs", "filters"):
        assert np.array_equal(getattr(again, name), getattr(batch, name))
    assert batchsize_of(path) == 2


def test_a_sample_file_is_not_a_stored_batch(tmp_path):
    path = write_sample(tmp_path / "a.npz", filter=np.array([b"c"]))
    with pytest.raises(InclinetError, match="not a stored batch"):
        Batch.read(path)
