"""Task that chooses the sample of a run: the one named, or else the only one in the store."""

from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.errors import InclinetError
from inclinet.settings import Sample
from inclinet.storage.store import Store
from tasks.common import artifacts, stage_task
from tasks.inputs import is_there

__all__ = ["choose_sample_task"]

_FOLDER, _IMAGES, _CATALOG = "input", "galaxies", "catalog.csv"


@stage_task("find", "find-sample")
def choose_sample_task(sample: Sample) -> State:
    """Return the sample as the data: as it is, or if nothing is at the default place, the only one below `input/`.

    Raises
    ------
    InclinetError
        When there are several, of which none is named.
    """
    if not sample.is_at_default_place or is_there(sample):
        return Completed(message=sample.images, data=sample)
    found = _find(artifacts().store)
    if len(found) > 1:
        raise InclinetError(
            f"nothing is at {sample.images}; name one of the samples in the store: {', '.join(found)}",
            setting="images",
        )
    if not found:
        return Completed(message="none in the store", data=sample)
    images, catalog = found[0], f"{found[0].rpartition('/')[0]}/{_CATALOG}"
    chosen = sample.model_copy(update={"images": images, "catalog": catalog})
    return Completed(message=f"{images}, the only sample in the store", data=chosen)


def _find(store: Store) -> list[str]:
    """Return the folders of images below `input/` that have a catalogue beside them."""
    samples = sorted(f"{_FOLDER}/{name}" for name in store.folders(_FOLDER))
    return [
        f"{sample}/{_IMAGES}"
        for sample in samples
        if any(entry.key == f"{sample}/{_CATALOG}" for entry in store.list(sample))
        and any(True for _ in store.list(f"{sample}/{_IMAGES}"))
    ]
