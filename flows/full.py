"""Flow `inclinet`, deployment `full`: everything, from images and catalogue to published networks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from pydantic import Field

from flows.pipeline import PIPELINE_OPTIONS, Outcome, PipelineSettings, list_images, run_pipeline
from flows.repair import remake_damaged
from inclinet.networks.architectures import check_fits
from inclinet.settings import Augment, Sample, Size, Split, Train
from tasks.publish import promote_first_task

__all__ = ["full"]


@flow(**PIPELINE_OPTIONS)
def full(
    size: Annotated[int, Field(ge=8, le=1024, description=Size.model_fields["size"].description)] = Size().size,
    sample: Annotated[Sample, Field(description="Which images and which catalogue.")] = Sample(),
    split: Annotated[Split, Field(description="Test set and subsamples.")] = Split(),
    augment: Annotated[Augment, Field(description="Stored training batches.")] = Augment(),
    train: Annotated[Train, Field(description="Networks and how they are trained.")] = Train(),
) -> State:
    """Prepare, split, augment, train, evaluate and publish: from folders of cutouts to a version for predicting.

    Artifacts made before from the same images, settings and code are reused. A damaged artifact is named, and
    remade with all that depends on it. The version comes into use if no other version is, unless it is worse than
    simple baselines or its networks were trained for too few steps. `inclinet promote` puts any version into use, and
    inclinet/retrain one that is better than the one in use.
    """
    check_fits(train.models, size)
    settings = PipelineSettings(size, sample, split, augment, train)

    def go() -> Outcome:
        return run_pipeline(settings, *list_images(sample))

    version = remake_damaged(go).version
    first = promote_first_task(version, return_state=True)
    first.result()
    return Completed(message=f"published {version}; {first.message}")
