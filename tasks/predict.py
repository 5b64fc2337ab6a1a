"""Task of the predict stage: one chunk of images; and the chunks predicted before."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prefect.client.schemas.objects import State

from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.networks.devices import use_one_gpu
from inclinet.prediction.sources import source
from inclinet.settings import Predict
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.code_digest import code_digest
from inclinet.storage.store import Store
from tasks.common import artifacts, is_transient, locate, make, stage_task
from tasks.filenames import IMAGES_FILE

__all__ = ["Image", "chunk_file", "find_chunk", "find_predicted", "predict_chunk_task", "read_images"]

Image = list
"""One image of a list of them: its key in the store of the images, its size in bytes, and its tag."""

_PARALLEL = 8


def read_images(reference: Reference, name: str = IMAGES_FILE) -> list[Image]:
    """Return a list of images that an artifact holds."""
    with temporary_folder("predict") as folder:
        [path] = artifacts().fetch(reference, folder, [name])
        return json.loads(path.read_text())


def chunk_file(chunk: str) -> str:
    """Return the name of the file of a listing that holds the images of a chunk."""
    return f"{chunk}.json"


def _key_parts(version: str, store: Store, images: str) -> dict:
    """Return what the predictions of a list of images (SHA-256 of its JSON) are an artifact of, for `make`."""
    return {
        "inputs": {"images": images},
        "settings": {"version": version, "store": store.uri},
        "code": code_digest(__name__),
    }


def find_predicted(version: str, store: Store) -> list[Reference]:
    """Return all chunks of images of a store that a version has predicted with the present code, in order of key."""

    def find(folder: str) -> Reference | None:
        reference = artifacts().find(f"artifacts/predict/{folder}")
        if reference is None or IMAGES_FILE not in reference.files:
            return None
        parts = _key_parts(version, store, reference.files[IMAGES_FILE])
        return reference if artifacts().key("predict", reference.name, **parts) == reference.key else None

    folders = sorted(name for name in artifacts().store.folders("artifacts/predict") if name.startswith(f"{version}-"))
    with ThreadPoolExecutor(_PARALLEL) as pool:
        return [reference for reference in pool.map(find, folders) if reference is not None]


@stage_task("predict", "predict-{chunk}", tagged=False)
def predict_chunk_task(what: Predict, version: str, listing: Reference, chunk: str) -> State:
    """Predict one chunk of a listing; the artifact holds the table and the list of its images, in the same order."""
    store, _ = locate(what.images, artifacts().store)

    def work(out: Path) -> Mapping[str, int]:
        use_one_gpu()
        from inclinet.prediction.predictor import open_predictor

        artifacts().fetch(listing, out, [chunk_file(chunk)])[0].rename(out / IMAGES_FILE)
        images = json.loads((out / IMAGES_FILE).read_text())
        sources = [source(store, key, f"{store.uri}/{key}", size) for key, size, _ in images]
        table = open_predictor(artifacts().store, version).predict(sources, per_image=True)
        table.to_csv(out / PREDICTIONS_FILE, index=False)
        return {"images": len(table)}

    return make("predict", _chunk_name(version, chunk), work=work, **_chunk_parts(version, store, listing, chunk))


def find_chunk(what: Predict, version: str, listing: Reference, chunk: str) -> Reference | None:
    """Return a chunk of a listing if it has been predicted; None, too, while the store does not answer."""
    store, _ = locate(what.images, artifacts().store)
    parts = _chunk_parts(version, store, listing, chunk)
    try:
        return artifacts().find(artifacts().key("predict", _chunk_name(version, chunk), **parts))
    except Exception as error:
        if not is_transient(error):
            raise
        return None


def _chunk_name(version: str, chunk: str) -> str:
    return f"{version}-{chunk}"


def _chunk_parts(version: str, store: Store, listing: Reference, chunk: str) -> dict:
    return _key_parts(version, store, listing.files[chunk_file(chunk)])
