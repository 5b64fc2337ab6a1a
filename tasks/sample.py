"""Tasks that choose what a run works on: the sample or images named, or else the only ones in the store."""

import posixpath
from collections.abc import Iterator

from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.filenames import is_image
from inclinet.data.roots import bands_of, common_root
from inclinet.errors import InclinetError
from inclinet.settings import Predict, Sample
from inclinet.storage.store import Store
from tasks.common import artifacts, stage_task
from tasks.inputs import is_there

__all__ = ["choose_images_task", "choose_sample_task"]

_FOLDER, _IMAGES, _CATALOG = "input", "galaxies", "catalog.csv"


@stage_task("find", "find-sample")
def choose_sample_task(sample: Sample) -> State:
    """Return the sample as the data: as it is, or if nothing is at the default place, the only one below `input/`.

    At the default place, and of the only one, root and bands that are still the usual ones become those of the images,
    if these are others.

    Raises
    ------
    InclinetError
        When there are several, of which none is named.
    """
    if not sample.is_at_default_place:
        return Completed(message=sample.images, data=sample)
    chosen, message = sample, sample.images
    if not is_there(sample):
        images = _only([found for found in _folders() if _has_catalogue(found)], sample.images)
        if images is None:
            return Completed(message="none in the store", data=sample)
        catalog = f"{posixpath.dirname(images)}/{_CATALOG}"
        chosen = sample.model_copy(update={"images": images, "catalog": catalog})
        message = f"{images}, the only sample in the store"
    chosen = _as_named(chosen)
    if (chosen.imroot, chosen.bands) != (sample.imroot, sample.bands):
        message = f"{message}, with images named {chosen.imroot} in {', '.join(chosen.bands)}"
    return Completed(message=message, data=chosen)


@stage_task("find", "find-images")
def choose_images_task(what: Predict) -> State:
    """Return what to predict as the data: as it is, or if nothing is at the default place, the only images in `input/`.

    Raises
    ------
    InclinetError
        When there are several folders of images, of which none is named.
    """
    if what.images != Predict().images or _holds_files(artifacts().store, what.images):
        return Completed(message=what.images, data=what)
    images = _only(_folders(), what.images)
    if images is None:
        return Completed(message="none in the store", data=what)
    return Completed(message=f"{images}, the only images in the store", data=what.model_copy(update={"images": images}))


def _folders() -> Iterator[str]:
    """Yield the folders of images below `input/`, in order."""
    store = artifacts().store
    for name in sorted(store.folders(_FOLDER)):
        if _holds_files(store, folder := f"{_FOLDER}/{name}/{_IMAGES}"):
            yield folder


def _holds_files(store: Store, folder: str) -> bool:
    return any(True for _ in store.list(folder))


def _has_catalogue(images: str) -> bool:
    sample = posixpath.dirname(images)
    return any(entry.key == f"{sample}/{_CATALOG}" for entry in artifacts().store.list(sample))


def _only(found: Iterator[str] | list[str], usual: str) -> str | None:
    """Return the only one of the folders that were found, None if there is none."""
    several = list(found)
    if len(several) > 1:
        raise InclinetError(
            f"nothing is at {usual}; name one of the samples in the store: {', '.join(several)}", setting="images"
        )
    return several[0] if several else None


def _as_named(sample: Sample) -> Sample:
    """Return a sample in this store with the root and the bands that its images' names have, unless others are set."""
    usual = Sample()
    if sample.image_column or (sample.imroot, sample.bands) != (usual.imroot, usual.bands):
        return sample
    names = [name for entry in artifacts().store.list(sample.images) if is_image(name := posixpath.basename(entry.key))]
    root = usual.imroot if bands_of(names, usual.imroot) else common_root(names)
    found = bands_of(names, root) if root else set()
    bands = tuple(band for band in usual.bands if band in found) or tuple(found)
    return Sample.model_validate(sample.model_dump() | {"imroot": root, "bands": bands}) if bands else sample
