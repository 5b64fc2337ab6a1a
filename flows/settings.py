"""The settings that the forms of `inclinet/full` and `inclinet/retrain` start from.

The command line's defaults suit a quick trial. A run of the service should make networks worth using without any
setting changed, so its defaults are larger; bounds and descriptions are the same.
"""

from typing import Annotated, Any

from pydantic import Field

from inclinet.settings import Augment, Sample, Size, Split, Train

__all__ = [
    "AUGMENT",
    "SIZE",
    "TRAIN",
    "AugmentField",
    "ImageSize",
    "SampleField",
    "ServiceAugment",
    "ServiceTrain",
    "SplitField",
    "TrainField",
    "in_form",
]


def in_form(title: str, description: str, **bounds: Any) -> Any:
    """Return the field of a flow's parameter as forms show it.

    Prefect replaces title and description by the parameter's name and nothing, unless they are given this way.
    """
    return Field(json_schema_extra={"title": title, "description": description}, **bounds)


_SIZE = Size.model_fields["size"]
ImageSize = Annotated[int, _SIZE, in_form(str(_SIZE.title), str(_SIZE.description))]
SampleField = Annotated[Sample, in_form("Sample", "Which images and which catalogue.")]
SplitField = Annotated[Split, in_form("Split", "How galaxies are divided into test set, training set and subsamples.")]


class ServiceAugment(Augment):
    """How the stored training batches are made."""

    nbatch: Annotated[int, Augment.model_fields["nbatch"]] = 10
    batchsize: Annotated[int, Augment.model_fields["batchsize"]] = 100


class ServiceTrain(Train):
    """How a network is trained."""

    N_batch_iter: Annotated[int, Train.model_fields["N_batch_iter"]] = 6


AugmentField = Annotated[ServiceAugment, in_form("Augmentation", "How the stored training batches are made.")]
TrainField = Annotated[ServiceTrain, in_form("Training", "Which networks are trained, and how.")]

# 60 steps of 1,800 images of 64 pixels: about 4 minutes a network on two CPU cores, and a few deg RMS for a sample of
# some hundred galaxies.
SIZE, AUGMENT, TRAIN = 64, ServiceAugment(), ServiceTrain()
