"""Every file and folder name of the pipeline, in one place, both ways: made and parsed."""

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "BANDS",
    "CALIBRATION",
    "FILTERS",
    "METRICS",
    "NOVELTY",
    "PREDICTIONS",
    "REPORT",
    "RESULT",
    "SIMULATED_PGC",
    "ImageName",
    "SmallName",
    "band_folder",
    "batch_file",
    "batch_folder",
    "checkpoint_folder",
    "figure_file",
    "left_out_file",
    "left_out_predictions_file",
    "metrics_file",
    "network_file",
    "packed_file",
    "parse_band_folder",
    "parse_cutout",
    "parse_image",
    "parse_network",
    "parse_packed",
    "parse_small",
    "parse_snapshot",
    "predictions_file",
    "sample_file",
    "skipped_file",
    "small_image",
    "snapshot_file",
    "stored_band",
    "validation_file",
]

BANDS = ("g", "r", "i", "gri")
"""The bands as the input files spell them; `gri` is the colour image."""

PREDICTIONS, METRICS, RESULT, REPORT = "predictions.csv", "metrics.json", "metrics.md", "report.html"
CALIBRATION, NOVELTY = "calibration.json", "novelty.json"
"""Files of an evaluation; the last two are for predicting."""

SIMULATED_PGC = 9_000_001
"""PGC number from which on galaxies are simulated; the real catalogue ends below 7 million."""

FILTERS = {"RGB": "c", "g": "g", "r": "r", "i": "i"}
"""One letter for each stored band, as in the `filter` array of the stored batches."""

_SMALL = re.compile(r"pgc(?P<pgc>\d{1,9})_(?P<size>\d+)x(?P=size)_(?P<label>F|\d+)\.(?P<band>g|r|i|RGB)\.jpg")
_FOLDER = re.compile(r"(?P<size>\d+)x(?P=size)_(?P<band>g|r|i|RGB)")
_PACKED = re.compile(r"(?P<size>\d+)x(?P=size)_(?P<band>g|r|i|RGB)\.npz")
_SNAPSHOT = re.compile(r"step_(?P<step>\d{4,})\.npz")

_NETWORK = re.compile(r"Uset_(?P<subsample>\d{3})_(?P<model>\w+)\.keras")


@dataclass(frozen=True)
class ImageName:
    """What the name of an input image says."""

    pgc: int
    band: str
    preferred: bool
    """True for `.sdss.jpg`, which wins over the colour image processed locally."""


@dataclass(frozen=True)
class SmallName:
    """What the name of a downsampled image says; `label` is `F`, `0` or an integer inclination in degrees."""

    pgc: int
    size: int
    label: str
    band: str


def stored_band(band: str) -> str:
    """Return how `band` is written from the prep stage on: `gri` becomes `RGB`."""
    return "RGB" if band == "gri" else band


def parse_image(name: str, imroot: str) -> ImageName | None:
    """Return what the file name of an input image says, None when it is no such name."""
    match = re.fullmatch(rf"pgc(\d{{1,9}})_{re.escape(imroot)}_(?:([gri])\.png|gri(\.sdss)?\.jpg)", name)
    if match is None:
        return None
    pgc, gray, sdss = match.groups()
    return ImageName(int(pgc), gray or "gri", sdss is not None)


def parse_cutout(name: str) -> ImageName | None:
    """Return what the file name of a galaxy's image says, whatever its root; None when it is no such name."""
    match = re.fullmatch(r"pgc\d{1,9}_(?P<imroot>.+)_(?:[gri]\.png|gri(?:\.sdss)?\.jpg)", name)
    return match and parse_image(name, match["imroot"])


def band_folder(size: int, band: str) -> str:
    """Folder of one band's downsampled images."""
    return f"{size}x{size}_{stored_band(band)}"


def parse_band_folder(name: str) -> tuple[int, str] | None:
    """Return (size, stored band) of a folder of downsampled images, None for any other name."""
    match = _FOLDER.fullmatch(name)
    return match and (int(match["size"]), match["band"])


def small_image(pgc: int, size: int, label: str, band: str) -> str:
    """File name of one downsampled image."""
    return f"pgc{pgc}_{size}x{size}_{label}.{stored_band(band)}.jpg"


def parse_small(name: str) -> SmallName | None:
    """Return what the file name of a downsampled image says, None when it is no such name."""
    match = _SMALL.fullmatch(name)
    return match and SmallName(int(match["pgc"]), int(match["size"]), match["label"], match["band"])


def skipped_file(size: int, band: str) -> str:
    """Table of the galaxies that the prep stage skipped in one band, with the reason."""
    return f"{band_folder(size, band)}_skipped.csv"


def packed_file(size: int, band: str) -> str:
    """Array file of one band, written by the compress stage."""
    return f"{band_folder(size, band)}.npz"


def parse_packed(name: str) -> tuple[int, str] | None:
    """Return (size, stored band) of a packed array file, None for any other name."""
    match = _PACKED.fullmatch(name)
    return match and (int(match["size"]), match["band"])


def sample_file(band: str, size: int, side: str, subsample: int) -> str:
    """Array file of one side (`train` or `test`) of one subsample in one band."""
    return f"{stored_band(band)}_{size}x{size}_{side}_{subsample:03d}.npz"


def batch_folder(subsample: int) -> str:
    """Folder of the stored batches of one subsample."""
    return f"Uset_{subsample:03d}_npz"


def batch_file(size: int, batch: int) -> str:
    """File of one stored batch; batches count from 1."""
    return f"{size}x{size}_train_aug_{batch:02d}.npz"


def validation_file(size: int) -> str:
    """File of the augmented test set."""
    return f"{size}x{size}_test_aug.npz"


def left_out_file(size: int, subsample: int) -> str:
    """File of the augmented galaxies that a subsample leaves out."""
    return f"{size}x{size}_left_aug_{subsample:03d}.npz"


def _run(subsample: int, model: str) -> str:
    return f"Uset_{subsample:03d}_{model}"


def checkpoint_folder(subsample: int, model: str) -> str:
    """Folder of the snapshots of one network trained on one subsample."""
    return f"{_run(subsample, model)}_ckpt"


def snapshot_file(step: int) -> str:
    """Snapshot of a network after one step; steps count from 1."""
    return f"step_{step:04d}.npz"


def parse_snapshot(name: str) -> int | None:
    """Return the step of a snapshot, None for any other name."""
    match = _SNAPSHOT.fullmatch(Path(name).name)
    return match and int(match["step"])


def metrics_file(subsample: int, model: str) -> str:
    """JSON of the metrics of every step."""
    return f"{_run(subsample, model)}_evalDict.json"


def figure_file(subsample: int, model: str) -> str:
    """Figure of the metrics against the step."""
    return f"{_run(subsample, model)}_evalFig.jpg"


def predictions_file(subsample: int, model: str) -> str:
    """Table of the predictions of one network for the test set."""
    return f"{_run(subsample, model)}_predictions.csv"


def left_out_predictions_file(subsample: int, model: str) -> str:
    """Table of the predictions of one network for the galaxies that its subsample leaves out."""
    return f"{_run(subsample, model)}_left_out.csv"


def parse_network(name: str) -> tuple[str, int] | None:
    """Return (model, subsample) of a trained network's file, None for any other name."""
    match = _NETWORK.fullmatch(name)
    return match and (match["model"], int(match["subsample"]))


def network_file(subsample: int, model: str) -> str:
    """Trained network, as `keras.models.load_model` reads it."""
    return f"{_run(subsample, model)}.keras"
