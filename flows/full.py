"""Flow `inclinet`, deployment `full`: the whole pipeline, from images and catalogue to published networks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.pipeline import PIPELINE_OPTIONS, PipelineSettings, list_images, run_pipeline
from flows.repair import remake_damaged
from flows.settings import AUGMENT, SIZE, TRAIN, ImageSize, ServiceAugment, ServiceTrain
from inclinet.networks.architectures import check_fits
from inclinet.settings import Sample, Split
from tasks.publish import promote_first_task

__all__ = ["full"]


@flow(**PIPELINE_OPTIONS)
def full(
    size: ImageSize = SIZE,
    sample: Annotated[Sample, Field(description="Which images and which catalogue.")] = Sample(),
    split: Annotated[Split, Field(description="Test set and subsamples.")] = Split(),
    augment: Annotated[ServiceAugment, Field(description="Stored training batches.")] = AUGMENT,
    train: Annotated[ServiceTrain, Field(description="Networks and how they are trained.")] = TRAIN,
) -> State:
    """Prepare, split, augment, train, evaluate and publish: from folders of cutouts to a version for predicting.

    Artifacts made before from the same images, settings and code are reused. A damaged artifact is remade, with
    everything that depends on it. The version comes into use if none is; else
    `inclinet promote` puts it in use, or inclinet/retrain once it is found to be better.
    """
    check_fits(train.models, size)
    settings = PipelineSettings(size, sample, split, augment, train)

    version = remake_damaged(lambda: run_pipeline(settings, *list_images(sample))).version
    in_use = promote_first_task(version, return_state=True).result()
    return Completed(message=f"published {version}; in use is {in_use}")
