"""Flow `inclinet`, deployment `retrain`: train anew if anything changed, and use what is better."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed
from prefect.utilities.annotations import opaque
from pydantic import Field

from flows.children import run_children
from flows.mending import mending
from flows.pipeline import WHOLE_WAY, By, Outcome, Recipe, list_images, samples_of, whole_way
from inclinet.artifacts import Reference
from inclinet.errors import InclinetError
from inclinet.layouts import check_fits
from inclinet.settings import Augment, Retrain, Sample, Size, Split, Train
from tasks.evaluate import find_test_predictions
from tasks.publish import considered, judge, keep, made_of, put_first_in_use, size_of

__all__ = ["retrain"]


def _predictions_of(champion: str, recipe: Recipe, outcome: Outcome, labels: Reference, listings: By) -> Reference:
    """Return the champion's predictions for the challenger's test galaxies, in images of the size that it takes."""
    size = size_of(champion, return_state=True).result()
    samples = outcome.samples if size == recipe.size else samples_of(size, recipe, labels, listings)
    tested = {band: reference for band, reference in samples.items() if reference.facts["test"]}
    found = find_test_predictions(champion, opaque(tested), return_state=True).result()
    if found is None:
        name = f"evaluate-{champion}"
        run_children("evaluate/gpu", {name: {"version": champion, "samples": tested}}, {name: ["evaluate"]})
        found = find_test_predictions(champion, opaque(tested), return_state=True).result()
    if found is None:
        raise InclinetError(
            f"version {champion} predicted the test set, but not where this run looks for it; the workers of the pools "
            "cpu and gpu run different code: bring both to the same version"
        )
    return found


def _retrain(recipe: Recipe, rules: Retrain) -> str:
    """Return what was done and why."""
    labels, listings = list_images(recipe.sample)
    if unchanged := considered(made_of(labels, listings, recipe.settings()), rules, return_state=True).result():
        return unchanged
    outcome = whole_way(recipe, labels, listings)
    champion = put_first_in_use(outcome.version, return_state=True).result()
    if champion == outcome.version:
        return f"Version {champion} is in use"
    if not outcome.evaluation.facts["images"]:
        return keep(outcome.version, champion, "no galaxy fell into the test set", return_state=True).result()
    predictions = _predictions_of(champion, recipe, outcome, labels, listings)
    return judge(outcome.version, champion, predictions, recipe.split, rules, return_state=True).result()


@flow(**WHOLE_WAY)
def retrain(
    size: Annotated[int, Field(ge=8, le=1024, description=Size.model_fields["size"].description)] = Size().size,
    sample: Annotated[Sample, Field(description="Which images and which catalogue.")] = Sample(),
    split: Annotated[Split, Field(description="Test set and subsamples.")] = Split(),
    augment: Annotated[Augment, Field(description="Stored training batches.")] = Augment(),
    train: Annotated[Train, Field(description="Networks and how they are trained.")] = Train(),
    rules: Annotated[Retrain, Field(description="When the new version takes the place of the one in use.")] = Retrain(),
) -> State:
    """Train anew unless neither galaxies nor catalogue, settings or code changed; then use what is better.

    The new version (the challenger) and the one in use (the champion) are judged on the same galaxies, on which
    neither was trained. The challenger is promoted if its RMS is lower beyond the noise of a paired bootstrap over
    galaxies and in no 5-degree bin higher by more than the rules allow.
    """
    check_fits(train.models, size)
    recipe = Recipe(size, sample, split, augment, train)
    return Completed(message=mending(lambda: _retrain(recipe, rules)))
