"""The settings that the forms of `inclinet/full` and `inclinet/retrain` start from.

The command line's defaults suit a quick trial. A run of the service should make networks worth using without any
setting changed, so its defaults are larger; bounds and descriptions are the same.
"""

from typing import Annotated

from inclinet.settings import Augment, Size, Train

__all__ = ["AUGMENT", "SIZE", "TRAIN", "ImageSize", "ServiceAugment", "ServiceTrain"]

ImageSize = Annotated[int, Size.model_fields["size"]]


class ServiceAugment(Augment):
    """How the stored training batches are made."""

    nbatch: Annotated[int, Augment.model_fields["nbatch"]] = 10
    batchsize: Annotated[int, Augment.model_fields["batchsize"]] = 100


class ServiceTrain(Train):
    """How a network is trained."""

    N_batch_iter: Annotated[int, Train.model_fields["N_batch_iter"]] = 6


# 60 steps of 1,800 images of 64 pixels: about 4 minutes a network on two CPU cores, and a few deg RMS for a sample of
# some hundred galaxies.
SIZE, AUGMENT, TRAIN = 64, ServiceAugment(), ServiceTrain()
