"""What all stages work on, and how; and in which parts they can run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from inclinet.settings import Augment, Sample, Split, Train

if TYPE_CHECKING:
    from inclinet.training.start import Start

__all__ = ["Part", "Work"]


class Part(StrEnum):
    """A part of all stages."""

    PREPARE = "prepare"
    """From the images to the stored batches."""
    TRAIN = "train"
    PUBLISH = "publish"
    """Evaluation, and a version."""


@dataclass(frozen=True)
class Work:
    """What all stages work on, and how.

    Attributes
    ----------
    impath, catalog : Path
        Folder of the images, and the catalogue.
    folder : Path
        Where to write everything; also the store of the version.
    sample : Sample
        Root of the image names, bands and framing; its `images` and `catalog` do not count.
    size : int
        Pixels a side of the downsampled images.
    split, augment, train
        Settings of these stages.
    starts : mapping of str to Start
        Networks that the training starts from, by architecture.
    columns : mapping of str to str
        Columns of the catalogue that are called otherwise, and that of the images, as for
        `inclinet.preparation.prep.prep`.
    restart : bool
        Train again from the start instead of resuming.
    workers : int, optional
        Processes that prepare images. Default: one per core.
    """

    impath: Path
    catalog: Path
    folder: Path
    sample: Sample
    size: int
    split: Split
    augment: Augment
    train: Train
    starts: Mapping[str, "Start"] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    restart: bool = False
    workers: int | None = None

    @property
    def samples(self) -> Path:
        """Folder of the samples."""
        return self.folder / "samples"

    @property
    def augmented(self) -> Path:
        """Folder of the stored batches."""
        return self.folder / "augmented"

    @property
    def models(self) -> Path:
        """Folder of the networks."""
        return self.folder / "models"

    @property
    def subsamples(self) -> range:
        """Numbers of the subsamples, with subsample 0."""
        return range(self.split.subsamples + 1)
