"""Flow `inclinet`, deployment `retrain`: train again if anything changed, and use the new version if it is better."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from prefect.utilities.annotations import opaque

from flows.children import run_children
from flows.fence import fenced
from flows.naming import add_tags, tags_of
from flows.pipeline import (
    PIPELINE_OPTIONS,
    PipelineResult,
    PipelineSettings,
    References,
    find_starts,
    list_images,
    run_pipeline,
    samples_of,
)
from flows.repair import remake_damaged
from flows.settings import AUGMENT, SIZE, TRAIN, AugmentField, ImageSize, SampleField, SplitField, TrainField, in_form
from flows.showing import summarize
from inclinet.errors import InclinetError
from inclinet.networks.architectures import check_fits
from inclinet.settings import Retrain, Sample, Split
from inclinet.storage.artifacts import Reference
from inclinet.storage.code_digest import code_digest
from tasks.champion import find_folds_task, find_size_task, find_test_predictions_task
from tasks.inputs import find_sample_task
from tasks.live import RunPage
from tasks.publish import (
    compare_versions_task,
    find_decision_task,
    fingerprint,
    keep_champion_task,
    promote_first_task,
)

__all__ = ["NO_SAMPLE", "retrain"]

NO_SAMPLE = "No sample"
"""Name of the state of a run that finds nothing at the default place of the sample."""


def _predictions_of(
    champion: str, settings: PipelineSettings, outcome: PipelineResult, labels: Reference, listings: References
) -> Reference:
    """Return the champion's predictions for the challenger's test galaxies, from images of the champion's size.

    They are made on the pool `gpu` if they do not exist.

    Raises
    ------
    InclinetError
        When the run of the pool `gpu` completed and its predictions are not found.
    """
    size = find_size_task(champion, return_state=True).result()
    samples = outcome.samples if size == settings.size else samples_of(size, settings, labels, listings)
    tested = {band: reference for band, reference in samples.items() if reference.facts["test"]}
    found = find_test_predictions_task(champion, opaque(tested), return_state=True).result()
    if found is None:
        name = f"evaluate-{champion}"
        what = {"version": champion, "samples": tested, "code": code_digest("tasks.champion")}
        tags = ["evaluate", *tags_of(settings.sample, size)]
        run_children("evaluate/test-set", {name: what}, {name: tags})
        found = find_test_predictions_task(champion, opaque(tested), return_state=True).result()
    if found is None:
        raise InclinetError(
            f"version {champion} predicted the test set, but this run does not find its predictions: the workers of "
            "the pools cpu and gpu run different code; bring both to the same version"
        )
    return found


def _retrain(settings: PipelineSettings, rules: Retrain) -> str:
    """Train again if anything changed, and use the new version if it is better; return what was done and why."""
    settings = find_starts(settings)
    labels, listings = list_images(settings.sample)
    if unchanged := find_decision_task(
        fingerprint(labels, listings, settings.as_json()), rules, return_state=True
    ).result():
        return unchanged
    page = RunPage()
    outcome = run_pipeline(settings, labels, listings, page)
    first = promote_first_task(outcome.version, rules, return_state=True)
    champion = first.result()
    if champion is None or champion == outcome.version:
        summarize(page, outcome.version, outcome.samples, outcome.catalogue)
        return first.message
    decision = _decide(champion, settings, outcome, labels, listings, rules)
    return f"{decision}. {summarize(page, outcome.version, outcome.samples, outcome.catalogue, decision)}"


def _decide(
    champion: str,
    settings: PipelineSettings,
    outcome: PipelineResult,
    labels: Reference,
    listings: References,
    rules: Retrain,
) -> str:
    """Decide which of the new version and the one in use, `champion`, is used from now on; return what and why."""
    if not outcome.evaluation.facts["images"]:
        return keep_champion_task(
            outcome.version, champion, "no galaxy fell into the test set", return_state=True
        ).result()
    cross_validated = settings.split.folds or find_folds_task(champion, return_state=True).result()
    predictions = None if cross_validated else _predictions_of(champion, settings, outcome, labels, listings)
    return compare_versions_task(
        outcome.version, champion, predictions, settings.split, rules, return_state=True
    ).result()


def _no_sample(sample: Sample) -> str:
    return (
        f"no sample yet: put images under {sample.images} and a catalogue at {sample.catalog} of the artifact store, "
        "or set `sample`"
    )


@flow(**PIPELINE_OPTIONS)
def retrain(
    size: ImageSize = SIZE,
    sample: SampleField = Sample(),
    split: SplitField = Split(),
    augment: AugmentField = AUGMENT,
    train: TrainField = TRAIN,
    rules: Annotated[Retrain, in_form("Rules", "When the new version replaces the one in use.")] = Retrain(),
) -> State:
    """Train again if galaxies, catalogue, settings or code changed, and use the new version if it is better.

    The new version (the challenger) and the one in use (the champion) are compared on the same galaxies, on which
    neither was trained. The challenger is promoted if its RMS is lower with 95 % confidence (paired bootstrap over
    galaxies), higher by more than the rules allow in no 5-degree bin, and lower than that of simple baselines. A
    version whose networks were trained for too few steps is never promoted. If either was cross-validated, both are
    judged by the predictions that they were evaluated on. `inclinet promote` puts any version into
    use.
    """
    check_fits(train.models, size)
    if sample.is_at_default_place and not find_sample_task(sample, return_state=True).result():
        return Completed(name=NO_SAMPLE, message=_no_sample(sample))
    add_tags(tags_of(sample, size))
    settings = PipelineSettings(size, sample, split, augment, train)
    with fenced():
        message = remake_damaged(lambda: _retrain(settings, rules))
    return Completed(message=message)
