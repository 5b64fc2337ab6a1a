"""The settings of every stage: one default, one bound and one description for command line and flows."""

from typing import Annotated, Any, Literal

from pydantic import Field

from inclinet.records import Record

__all__ = ["Augment", "Band", "Model", "Precision", "Predict", "Retrain", "Sample", "Size", "Split", "Train"]

Band = Literal["g", "r", "i", "gri"]
Model = Literal["model4", "model5", "model6"]
Precision = Literal["auto", "float32", "bfloat16"]
Images = Annotated[
    str,
    Field(
        min_length=1,
        description="Folder of the images: a prefix of the artifact store, s3://bucket/prefix, "
        "or an absolute path that every worker sees.",
    ),
]


class Size(Record):
    """Size of the images."""

    size: int = Field(128, ge=8, le=1024, description="Pixels a side of the downsampled images.")


class Sample(Record):
    """Which images and which catalogue."""

    images: Images = "input/galaxies"
    catalog: str = Field(
        "input/catalog.csv",
        min_length=1,
        description="Catalogue, columns split by '|': a key of the artifact store, s3://bucket/key, "
        "or an absolute path that every worker sees.",
    )
    imroot: str = Field(
        "d25x2_rot", pattern=r"^[\w.+-]+$", description="Root of the image names: pgc<ID>_<root>_<band>.png."
    )
    bands: tuple[Band, ...] = Field(
        ("g", "r", "i", "gri"), min_length=1, description="Bands to use; a sample with one band works."
    )


class Split(Record):
    """How galaxies are divided into test set, training set and subsamples."""

    niter: int = Field(3, ge=0, le=99, description="Number of bagging subsamples beside subsample 0.")
    test_fraction: float = Field(0.10, gt=0, lt=1, description="Share of the galaxies in the test set.")
    subsample_fraction: float = Field(0.67, gt=0, lt=1, description="Share of the training galaxies in each subsample.")
    seed: int = Field(0, ge=0, description="Seed of the split; another one moves every galaxy.")


class Augment(Record):
    """How the stored training batches are made."""

    nbatch: int = Field(3, ge=1, le=99, description="Stored batches for each subsample.")
    batchsize: int = Field(
        3,
        ge=1,
        le=100_000,
        description="Images in each 5-degree bin of inclination and colour class; 1000 in production.",
    )
    seed: int = Field(0, ge=0, description="Seed of the augmentation.")
    leave_out: bool = Field(
        True,
        description="Keep a tenth of the training galaxies out of the batches of subsample 0, to judge its network "
        "by while it trains; the other subsamples leave out a third anyway.",
    )


class Train(Record):
    """How a network is trained."""

    models: tuple[Model, ...] = Field(("model4",), min_length=1, description="Networks to train.")
    N_batch_iter: int = Field(1, ge=1, le=10_000, description="Passes over all stored batches.")
    training_batch_size: int = Field(64, ge=1, le=65_536, description="Images in a mini-batch.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Learning rate of Adam at the first step.")
    schedule: Literal["constant", "cosine"] = Field(
        "cosine", description="Learning rate from step to step: falling as a half cosine, or constant."
    )
    seed: int = Field(0, ge=0, description="Seed of weights, dropout and the order of batches and images.")
    precision: Precision = Field(
        "auto",
        description="Arithmetic: bfloat16 (weights, outputs and loss stay float32), float32, or auto: bfloat16 where "
        "the hardware multiplies it natively.",
    )
    keep_every: int = Field(
        0, ge=0, description="Keep the snapshot of every so many steps; 0 keeps the last two and the best alone."
    )
    patience: int = Field(
        0,
        ge=0,
        description="End when the error on the left-out galaxies has not fallen for so many steps, and take the best "
        "snapshot as the network; 0 never does.",
    )

    def steps(self, nbatch: int) -> int:
        """Return the steps in all over so many stored batches."""
        return nbatch * self.N_batch_iter

    def of_a_step(self) -> dict[str, Any]:
        """Return the settings that change what a step does, fit for JSON; with `cosine` the steps in all do too."""
        return self.model_dump(mode="json", exclude={"models", "N_batch_iter", "keep_every", "patience"})


class Retrain(Record):
    """When a newly trained version takes the place of the one in use."""

    worst_bin: float = Field(
        1.0,
        ge=0,
        description="The RMS may rise by so many degrees in any 5-degree bin of inclination; more keeps the champion.",
    )
    min_galaxies: int = Field(30, ge=1, description="Fewer test galaxies than these keep the champion.")


class Predict(Record):
    """Which images are predicted with which version, in what portions."""

    images: Images = "input/galaxies"
    version: str = Field(
        "", pattern=r"^(\d{8}-[0-9a-f]{10})?$", description="Published version; empty for the one in use."
    )
    chunk: int = Field(2000, ge=1, le=100_000, description="Images in a chunk: what is done again after a crash.")
