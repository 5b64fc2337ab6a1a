"""Whatever a file holds, it is read correctly, skipped with a reason, or refused with one clear error."""

import io
import tracemalloc
import zipfile
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inclinet.data.catalog import read_catalog
from inclinet.data.images import BadImageError
from inclinet.data.samples import Batch, read_samples
from inclinet.errors import InclinetError
from inclinet.geometry.framing import to_small
from inclinet.preparation.split import read_packed
from inclinet.settings import Framing
from inclinet.storage.npz import read_arrays, write_arrays
from inclinet.training.snapshots import Snapshot

MEGABYTE = 2**20


NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.integers(1, 10**6).map(str),
    st.integers(40, 95).map(str),
    st.floats().map(repr),
    st.sampled_from(["", "nan", "NaN", "inf", "-inf", "1e400", "0x10", "٣", "1_000", "+5", "-0", "90.4999", " 60 "]),
)
CELLS = st.one_of(NUMBERS, st.text(max_size=12), st.sampled_from(["F", "face_on", "1", "0", '"', "'", "=1+1", "../x"]))
NAMES = st.one_of(st.sampled_from(["pgc", "inc", "inc_flg", "fon", "inc_note", "b_a", "Sba", ""]), st.text(max_size=8))
ENDINGS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", " \n"])


@st.composite
def catalogs(draw):
    """Draw the bytes of a catalogue, from nearly valid ones to anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    names = draw(st.one_of(st.just(["pgc", "inc", "inc_flg", "fon", "inc_note", "b_a"]), st.lists(NAMES, max_size=8)))
    pgc = draw(st.integers(1, 10**7).map(str))  # repeated by some rows
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        row = [draw(st.one_of(st.just(pgc), NUMBERS)) if name == "pgc" else draw(CELLS) for name in names]
        if draw(st.integers(0, 5)) == 0:
            row = row[: draw(st.integers(0, len(row)))] + draw(st.lists(CELLS, max_size=2))
        rows.append(row)
    split = draw(st.sampled_from(["|", " | ", "|", ","]))
    text = draw(ENDINGS).join(split.join(row) for row in [names, *rows])
    content = text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"])), "replace")
    return content if draw(st.integers(0, 9)) else content[: draw(st.integers(0, len(content)))]


def read_one_catalog(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        catalog = read_catalog(path)
    except InclinetError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
        return
    assert catalog.labels
    assert all(pgc > 0 and (label == "F" or 0 <= int(label) <= 90) for pgc, label in catalog.labels.items())
    assert all(catalog.skipped.values())
    assert not catalog.labels.keys() & catalog.skipped.keys()


def fuzz(examples, strategy, check):
    """Check this many examples of a strategy, the same ones each time."""

    @settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=True
    )
    @given(strategy)
    def run(drawn):
        check(drawn)

    run()


@pytest.mark.parametrize("examples", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_catalogs(tmp_path, examples):
    fuzz(examples, catalogs(), lambda content: read_one_catalog(tmp_path / "catalog.csv", content))


def picture(mode, size):
    """Return an image of any of Pillow's modes."""
    image = Image.new("L", size)
    ImageDraw.Draw(image).ellipse([0, 0, size[0] - 1, size[1] - 1], fill=200)
    if mode in ("La", "RGBa"):
        return image.convert("LA" if mode == "La" else "RGBA").convert(mode)
    if mode == "I;16":
        return Image.fromarray(np.asarray(image).astype(np.uint16) << 8)
    return image.convert("RGB").convert(mode) if mode in ("LAB", "HSV", "YCbCr", "CMYK") else image.convert(mode)


MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LA", "PA", "RGBX", "RGBa", "La", "I", "F", "HSV", "I;16"]
FORMATS = ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"]


@st.composite
def pictures(draw):
    """Draw the bytes of an image file, intact or damaged."""
    size = draw(st.sampled_from([(1, 1), (1, 40), (40, 1), (33, 20), (64, 64), (30_000, 1), (1, 30_000)]))
    content = io.BytesIO()
    try:
        picture(draw(st.sampled_from(MODES)), size).save(content, draw(st.sampled_from(FORMATS)))
    except (OSError, ValueError, KeyError):  # this format does not know this mode
        return draw(st.binary(max_size=300))
    data = bytearray(content.getvalue())
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(data[: draw(st.sampled_from([len(data), len(data), len(data) // 2, 20]))])


def read_one_image(path, content):
    path.write_bytes(content)
    for colour, framing in product((False, True), get_args(Framing)):
        try:
            image, _ = to_small(path, 16, colour, framing)
        except BadImageError as error:
            assert str(error)
        else:
            assert (image.mode, image.size) == ("RGB" if colour else "L", (16, 16))


@pytest.mark.parametrize("examples", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_images(tmp_path, examples):
    fuzz(examples, pictures(), lambda content: read_one_image(tmp_path / "pgc1_d25x2_rot_g.png", content))


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [*((mode, "png") for mode in ("1", "L", "P", "RGB", "RGBA", "LA", "I;16")), ("CMYK", "jpg"), ("YCbCr", "jpg")],
)
def test_every_mode_of_png_and_jpeg_files_is_read(tmp_path, mode, suffix):
    path = tmp_path / f"a.{suffix}"
    picture(mode, (40, 30)).save(path)
    assert np.asarray(to_small(path, 16, colour=False)[0])[8, 8] > 100


def bomb(width, height):
    """Return a PNG of zeros: a short file of many pixels."""
    content = io.BytesIO()
    Image.new("L", (width, height)).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (bomb(9000, 9000), "no side may be longer"),
        (bomb(30_000, 1), "no side may be longer"),
        (b"PGC 1 is a fine galaxy\n", "not a readable image"),
        (b"", "not a readable image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a readable image"),  # a program, to Pillow an image
    ],
)
def test_a_file_that_is_not_a_cutout_is_refused_without_using_memory(tmp_path, content, reason):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(BadImageError, match=reason):
        to_small(path, 16, colour=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * MEGABYTE


DTYPES = st.sampled_from(["u1", "i4", "i8", "f4", "f8", "c8", "?", "S1", "U3", "M8[s]", ">i2", "O"])


@st.composite
def array_files(draw):
    """Draw the bytes of an array file, with names, shapes and types close to valid ones, and perhaps damaged."""
    names = ["images", "labels", "pgcIDs", "filter", "step", "history", "precision"]
    arrays = {}
    for name in draw(st.lists(st.sampled_from(names), unique=True)):
        shape = draw(st.sampled_from([(3,), (2, 3), (3, 8, 8, 3), (3, 8, 8), (), (0,), (0, 8, 8, 3), (3, 1)]))
        dtype = draw(st.one_of(st.just("u1"), DTYPES))
        arrays[name] = np.zeros(shape, dtype)
    content = io.BytesIO()
    (np.savez if draw(st.booleans()) else np.savez_compressed)(content, **arrays)
    data = bytearray(content.getvalue())
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.sampled_from([len(data), len(data), len(data), len(data) // 2]))])


def read_one_array_file(path, content):
    path.write_bytes(content)
    readers = [read_arrays, Batch.read, read_packed, Snapshot.read, lambda path: read_samples({"g": path}, 8)]
    for read in readers:
        try:
            read(path)
        except InclinetError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("examples", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_array_files(tmp_path, examples):
    fuzz(examples, array_files(), lambda content: read_one_array_file(tmp_path / "a.npz", content))


def test_a_header_that_promises_terabytes_is_refused(tmp_path):
    path = write_arrays(tmp_path / "a.npz", {"images": np.zeros(100, np.uint8)})
    path.write_bytes(path.read_bytes().replace(b"(100,)", b"(9e9,)").replace(b"9e9,", b"99**"))
    with pytest.raises(InclinetError, match=r"a\.npz"):
        read_arrays(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**13,)})
        archive.writestr("images.npy", header.getvalue() + bytes(100))
    with pytest.raises(InclinetError, match=r"a\.npz"):
        read_arrays(path)


def test_a_compressed_file_that_unpacks_without_end_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=np.zeros(400 * MEGABYTE, np.uint8))
    tracemalloc.start()
    with pytest.raises(InclinetError, match="unpacks to"):
        read_arrays(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * MEGABYTE
