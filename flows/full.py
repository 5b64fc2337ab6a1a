"""Flow `inclinet`, deployment `full`: the whole pipeline, from images and catalogue to published networks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.fence import fenced
from flows.pipeline import PIPELINE_OPTIONS, PipelineSettings, find_starts, list_images, run_pipeline
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

    Artifacts made before from the same images, settings and code are reused. A damaged artifact is named, and
    remade with all that depends on it. The version comes into use if no other version is, unless it is worse than
    simple baselines or its networks were trained for too few steps. `inclinet promote` puts any version into use, and
    inclinet/retrain one that is better than the one in use.
    """
    check_fits(train.models, size)
    settings = PipelineSettings(size, sample, split, augment, train)

    with fenced():
        version = remake_damaged(lambda: run_pipeline(find_starts(settings), *list_images(sample))).version
        first = promote_first_task(version, return_state=True)
        first.result()
    return Completed(message=f"published {version}; {first.message}")
