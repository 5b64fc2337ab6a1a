"""Flow `inclinet`, deployment `full`: the whole pipeline, from images and catalogue to published networks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.fence import fenced
from flows.naming import add_tags, tags_of
from flows.pipeline import PIPELINE_OPTIONS, PipelineSettings, find_starts, list_images, rename_by_sample, run_pipeline
from flows.repair import remake_damaged
from flows.settings import AUGMENT, SIZE, TRAIN, AugmentField, ImageSize, SplitField, TrainField, in_form
from flows.showing import summarize
from inclinet.networks.architectures import check_fits
from inclinet.settings import Sample, Split
from tasks.live import RunPage
from tasks.publish import promote_first_task
from tasks.sample import choose_sample_task

__all__ = ["full"]

_SAMPLE = (
    "Which images and which catalogue. If nothing is at the default place, the only sample below input/ is taken; root "
    "and bands left as they are follow the names of its images."
)


@flow(**PIPELINE_OPTIONS)
def full(
    size: ImageSize = SIZE,
    sample: Annotated[Sample, in_form("Sample", _SAMPLE)] = Sample(),
    split: SplitField = Split(),
    augment: AugmentField = AUGMENT,
    train: TrainField = TRAIN,
) -> State:
    """Prepare, split, augment, train, evaluate and publish: from folders of cutouts to a version for predicting.

    If nothing is at the default place, the only sample below `input/` is taken. Root of the names and bands that are
    left as they are follow the names of its images.

    Artifacts made before from the same images, settings and code are reused. A damaged artifact is named, and
    remade with all that depends on it. The version comes into use if no other version is, unless it is worse than
    simple baselines or its networks were trained for too few steps. `inclinet promote` puts any version into use, and
    inclinet/retrain one that is better than the one in use.
    """
    check_fits(train.models, size)
    sample = choose_sample_task(sample, return_state=True).result()
    add_tags(tags_of(sample, size))
    rename_by_sample(sample, size)
    settings, page = PipelineSettings(size, sample, split, augment, train), RunPage()

    with fenced():
        outcome = remake_damaged(lambda: run_pipeline(find_starts(settings), *list_images(sample), page))
        first = promote_first_task(outcome.version, return_state=True)
        first.result()
        summarize(page, outcome.version, outcome.samples, outcome.catalogue)
    return Completed(message=first.message)
