"""The settings of every stage: one default, one set of bounds and one description for command line and flows."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from inclinet.records import Record

__all__ = [
    "Augment",
    "Band",
    "Bands",
    "Framing",
    "Model",
    "Precision",
    "Predict",
    "Prune",
    "Retrain",
    "Sample",
    "Size",
    "Split",
    "Train",
]

_USUAL_BANDS = ("g", "r", "i", "gri")


def _check_band(band: str) -> str:
    if band in ("RGB", "c"):  # as array files and tables spell it
        raise ValueError("the colour band is called gri")
    return band


def _in_one_order(bands: tuple[str, ...]) -> tuple[str, ...]:
    """Return the usual bands in their order, then the others by name: the same bands are the same sample."""
    if len(set(bands)) < len(bands):
        raise ValueError("a band is named twice")
    usual = [band for band in _USUAL_BANDS if band in bands]
    return (*usual, *sorted(set(bands).difference(usual)))


# Names of files and folders are made from it, with `_`, `-` and `.` between their parts.
Band = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{0,15}$"), AfterValidator(_check_band)]
Bands = Annotated[tuple[Band, ...], Field(min_length=1), AfterValidator(_in_one_order)]
Column = Annotated[str, Field(pattern=r"^(pgc|galaxy|inc|inc_flg|fon|inc_note|b_a)=.+$")]
Model = Literal["residual", "model4", "model5", "model6"]
Precision = Literal["auto", "float32", "bfloat16"]
Framing = Literal["measured", "given"]
Images = Annotated[
    str,
    Field(
        min_length=1,
        title="Images",
        description="Folder of the images: a folder in the artifact store, s3://bucket/prefix, "
        "or an absolute path that all workers can read.",
    ),
]


class Size(Record):
    """Size of the images."""

    size: int = Field(128, ge=8, le=1024, title="Image size", description="Pixels a side of the downsampled images.")


class Sample(Record):
    """Which images and which catalogue."""

    images: Images = "input/galaxies"
    catalog: str = Field(
        "input/catalog.csv",
        min_length=1,
        title="Catalogue",
        description="Catalogue (CSV with any separator, ECSV, FITS or VOTable): a key in the artifact store, "
        "s3://bucket/key, or an absolute path that all workers can read.",
    )
    imroot: str = Field(
        "d25x2_rot",
        pattern=r"^[\w.+-]+$",
        title="Root of the image names",
        description="The middle part of the names of the images, such as d25x2_rot in pgc2557_d25x2_rot_gri.png.",
    )
    bands: Bands = Field(
        _USUAL_BANDS,
        title="Bands",
        description="Bands to use, as the names of the images spell them; one is enough. Usual are g, r, i, and gri "
        "for colour; others such as z, W1 or NUV are gray, and three or more filters in a row, such as grz, colour.",
    )
    column: tuple[Column, ...] = Field(
        (),
        title="Columns",
        description="What columns of the catalogue mean that are called otherwise, such as pgc=PGCNO or galaxy=SGA_ID. "
        "Meanings: pgc, galaxy, inc, inc_flg, fon, inc_note, b_a.",
    )
    image_column: str = Field(
        "",
        title="Image column",
        description="Column of the catalogue that names the images: paths in the folder of the images, absolute paths "
        "that all workers can read, or s3:// addresses. {band} in it stands for the band. Empty: images are found by "
        "their names.",
    )
    framing: Framing = Field(
        "measured",
        title="Framing",
        description="measured: find the galaxy in each image, and cut the image to a field in proportion to its size; "
        "given: take images as they are framed.",
    )

    @property
    def is_at_default_place(self) -> bool:
        """Whether neither images nor catalogue are elsewhere than usual."""
        usual = type(self)()
        return (self.images, self.catalog) == (usual.images, usual.catalog)

    @property
    def columns(self) -> dict[str, str]:
        """The column of each meaning that is called otherwise."""
        return {meaning: name for meaning, _, name in (one.partition("=") for one in self.column)}


class Split(Record):
    """How galaxies are divided into test set, training set and subsamples."""

    niter: int = Field(
        3,
        ge=0,
        le=99,
        title="Subsamples",
        description="Number of bagging subsamples, in addition to subsample 0, which is the whole training set.",
    )
    folds: int = Field(
        0,
        ge=0,
        le=20,
        title="Folds",
        description="Cross-validation: with 5, five networks each leave out another fifth of the galaxies, so every "
        "galaxy is predicted by one that never saw it, and the published network is trained on all. There is no test "
        "set then, and the other settings of the split do not count. 0 for a test set and bagging subsamples.",
    )
    test_fraction: float = Field(
        0.10, gt=0, lt=1, title="Test fraction", description="Fraction of the galaxies in the test set."
    )
    subsample_fraction: float = Field(
        0.67, gt=0, lt=1, title="Subsample fraction", description="Fraction of the training galaxies in each subsample."
    )
    seed: int = Field(
        0, ge=0, title="Seed", description="Seed of the split; with another one, every galaxy is assigned again."
    )

    @field_validator("folds")
    @classmethod
    def _more_than_one(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold would leave nothing to train on; give 2 or more, or 0 for a test set")
        return folds

    @property
    def subsamples(self) -> int:
        """Number of subsamples besides subsample 0: one per fold, else `niter`."""
        return self.folds or self.niter


def _range(title: str, description: str, low: float, high: float) -> Any:
    return Field(None, ge=low, le=high, title=title, description=f"{description} Default: the preset's.")


class Augment(Record):
    """How the stored training batches are made."""

    preset: Literal["wide", "published"] = Field(
        "wide",
        title="Preset",
        description="Ranges of the transformations: wide, as images from different surveys vary, or those of the "
        "published recipe.",
    )
    shift: float | None = _range("Shift", "Largest shift, as a fraction of the image side.", 0, 0.5)
    zoom_min: float | None = _range("Smallest zoom", "Smallest zoom.", 0.2, 1)
    zoom_max: float | None = _range("Largest zoom", "Largest zoom.", 1, 5)
    gamma_min: float | None = _range("Smallest gamma", "Smallest exponent of the contrast.", 0.1, 1)
    gamma_max: float | None = _range("Largest gamma", "Largest exponent of the contrast.", 1, 10)
    brightness_min: float | None = _range("Smallest brightness", "Smallest factor of the brightness.", 0.1, 1)
    brightness_max: float | None = _range("Largest brightness", "Largest factor of the brightness.", 1, 10)
    sky_min: float | None = _range("Least sky", "Smallest light added to the sky, of 255.", -100, 0)
    sky_max: float | None = _range("Most sky", "Largest light added to the sky, of 255.", 0, 100)
    noise: float | None = _range("Noise", "Largest standard deviation of the noise, of 255.", 0, 50)
    inverted: float | None = _range("Inverted", "Fraction of the grayscale images that are inverted.", 0, 1)

    nbatch: int = Field(3, ge=1, le=99, title="Stored batches", description="Stored batches for each subsample.")
    batchsize: int = Field(
        3,
        ge=1,
        le=100_000,
        title="Images per bin",
        description="Images of each colour class (colour, grayscale) in each 5-degree bin of inclination of a stored "
        "batch: 3 for a trial, 1000 in production.",
    )
    seed: int = Field(0, ge=0, title="Seed", description="Seed of the augmentation.")
    leave_out: bool = Field(
        True,
        title="Leave galaxies out",
        description="Leave a tenth of the training galaxies out of the batches of subsample 0, to measure its networks "
        "on while they train. The other subsamples leave out a third anyway.",
    )
    raw: bool = Field(
        False,
        title="Uncompressed",
        description="Store the batches uncompressed: about twice the bytes, for a fast local disk.",
    )

    def with_split(self, split: Split) -> "Augment":
        """Return the settings for a split: with folds, subsample 0 leaves out none, as the folds measure it."""
        return self.model_copy(update={"leave_out": False}) if split.folds else self


class Train(Record):
    """How a network is trained."""

    models: tuple[Model, ...] = Field(
        ("residual",), min_length=1, title="Architectures", description="Architectures of the networks to train."
    )
    N_batch_iter: int = Field(1, ge=1, le=10_000, title="Passes", description="Passes over all stored batches.")
    training_batch_size: int = Field(64, ge=1, le=65_536, title="Mini-batch", description="Images in a mini-batch.")
    learning_rate: float = Field(
        1e-3,
        gt=0,
        le=1,
        title="Learning rate",
        description="Largest learning rate, reached at the first step or, with a warm-up, at its end.",
    )
    optimizer: Literal["adamw", "adam"] = Field(
        "adamw", title="Optimizer", description="adamw: Adam with decoupled weight decay; adam: without weight decay."
    )
    weight_decay: float = Field(
        1e-3, ge=0, le=1, title="Weight decay", description="Weight decay of adamw; adam has none."
    )
    loss: Literal["huber", "mse"] = Field(
        "huber",
        title="Loss",
        description="huber: squared error up to 4.5 deg, absolute error beyond, so that wrong labels weigh less; mse: "
        "mean squared error.",
    )
    warm_up: int = Field(
        1,
        ge=0,
        le=1000,
        title="Warm-up",
        description="Steps over which the learning rate rises linearly from zero, mini-batch by mini-batch; with 0 it "
        "starts at its largest and changes only from step to step.",
    )
    schedule: Literal["constant", "cosine"] = Field(
        "cosine",
        title="Learning rate schedule",
        description="Learning rate after the warm-up: falling as half a cosine, or constant.",
    )
    label_weights: Literal["inc_e", "equal"] = Field(
        "inc_e",
        title="Weights of the labels",
        description="inc_e: labels weigh less, the larger their error in the catalogue's column inc_e, if it has one; "
        "equal: all labels weigh the same.",
    )
    seed: int = Field(
        0, ge=0, title="Seed", description="Seed of the weights, the dropout, and the order of batches and images."
    )
    start: str = Field(
        "",
        title="Start from",
        description="Published version whose networks the training starts from, or the file (.keras) of one network; "
        "of the same architecture and image size. Empty: from random weights.",
    )
    precision: Precision = Field(
        "auto",
        title="Precision",
        description="Arithmetic: bfloat16 (weights, outputs and loss stay float32), float32, or auto: bfloat16 where "
        "the hardware supports it natively.",
    )
    keep_every: int = Field(
        0,
        ge=0,
        title="Snapshots to keep",
        description="Keep the snapshot of every nth step; with 0, only the last two and the best.",
    )
    patience: int = Field(
        0,
        ge=0,
        title="Patience",
        description="Stop when the error on the left-out galaxies has not fallen for this many steps, and use the best "
        "snapshot as the network; 0 never stops early.",
    )

    def steps(self, nbatch: int) -> int:
        """Return the number of steps over `nbatch` stored batches."""
        return nbatch * self.N_batch_iter


class Retrain(Record):
    """When a newly trained version replaces the version in use."""

    worst_bin: float = Field(
        1.0,
        ge=0,
        title="Worst bin",
        description="Largest rise of the RMS (deg) that is accepted in any 5-degree bin of inclination; with a larger "
        "one, the version in use stays.",
    )
    min_galaxies: int = Field(
        30, ge=1, title="Test galaxies", description="With fewer test galaxies than this, the version in use stays."
    )


class Prune(Record):
    """What is kept when the store is cleared of what nobody needs."""

    keep_runs: int = Field(
        10, ge=1, title="Runs", description="The newest runs, with all artifacts that they made or reused, are kept."
    )
    keep_versions: int = Field(
        10,
        ge=1,
        title="Versions",
        description="The newest versions are kept with their runs; so are the version in use, the one before it, and "
        "those that others were started from.",
    )
    older_than: str = Field(
        "30d",
        pattern=r"^[1-9]\d{0,4}[hdw]$",
        title="Older than",
        description="Nothing is removed that was made or used since, such as 12h, 30d or 8w: more than the longest run "
        "takes.",
    )
    dry_run: bool = Field(False, title="Dry run", description="Only say what would be removed.")

    @property
    def age(self) -> timedelta:
        """`older_than` as a time."""
        return (
            int(self.older_than[:-1])
            * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[self.older_than[-1]]
        )


class Predict(Record):
    """Which images are predicted, and with which version."""

    images: Images = "input/galaxies"
    recursive: bool = Field(
        False, title="Folders in the folder", description="Search the folders in the folder of the images, too."
    )
    version: str = Field(
        "",
        pattern=r"^(\d{8}-[0-9a-f]{10}|shipped)?$",
        title="Version",
        description="Published version, or shipped: the one that comes with Inclinet. Leave empty for the version in "
        "use in the store, or the shipped one if none is.",
    )
    chunk: int = Field(
        2000,
        ge=1,
        le=100_000,
        title="Images per chunk",
        description="Images that are predicted together. After a crash, only the chunk under way is repeated.",
    )
