"""Tasks that predict many images with a published version, a chunk at a time."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.networks.devices import use_one_gpu
from inclinet.prediction.sources import in_store, source
from inclinet.registry.champion import choose_version
from inclinet.settings import Predict
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from tasks.common import artifacts, in_chunks, locate, make, stage_task

__all__ = ["find_version_task", "gather_task", "list_chunks_task", "predict_chunk_task"]


@stage_task("find", "find-version")
def find_version_task(version: str) -> State:
    """Look up a published version, the one in use if none is named; the data are its name."""
    published = choose_version(artifacts().store, version or None)
    return Completed(message=published.version, data=published.version)


@stage_task("listing", "listing")
def list_chunks_task(what: Predict) -> State:
    """List the images, in chunks; the artifact's `chunks` fact gives the digest of each."""
    store, prefix = locate(what.images, artifacts().store)
    entries = in_store(store.list(prefix))
    if not entries:
        raise InclinetError(f"{what.images}: no image in {store.uri}; PNG and JPEG files are read")
    rows, chunks = in_chunks({entry.key: [entry.key, entry.size, entry.tag] for entry in entries}, what.chunk)

    def work(folder: Path) -> Mapping:
        for name, members in rows.items():
            (folder / f"{name}.json").write_text(json.dumps(members))
        return {"images": len(entries), "chunks": chunks}

    return make("listing", "images", inputs=chunks, settings={"store": store.uri}, work=work)


@stage_task("predict", "predict-{chunk}", tagged=False)
def predict_chunk_task(what: Predict, version: str, listing: Reference, chunk: str) -> State:
    """Predict one chunk of the listing."""
    store, _ = locate(what.images, artifacts().store)

    def work(out: Path) -> Mapping[str, int]:
        use_one_gpu()
        from inclinet.prediction.predictor import open_predictor

        with temporary_folder("predict") as folder:
            [path] = artifacts().fetch(listing, folder, [f"{chunk}.json"])
            members = json.loads(path.read_text())
        sources = [source(store, key, f"{store.uri}/{key}", size) for key, size, _ in members]
        table = open_predictor(artifacts().store, version).predict(sources)
        table.to_csv(out / PREDICTIONS_FILE, index=False)
        flags = Counter(flag for flags in table["flags"] for flag in flags.split("; ") if flag)
        return {"images": len(table), "flags": dict(flags)}

    inputs = {"images": listing.facts["chunks"][chunk]}
    settings = {"version": version, "store": store.uri}
    return make("predict", chunk, inputs=inputs, settings=settings, work=work)


@stage_task("gather", "gather")
def gather_task(run: str, version: str, parts: dict[str, Reference]) -> State:
    """Write all chunks, by name, into `predictions/<run>/predictions.csv` of the store."""
    store = artifacts().store
    key = f"predictions/{run}/{PREDICTIONS_FILE}"
    with temporary_folder("gather") as folder:
        whole = folder / "whole.csv"
        for place, (name, reference) in enumerate(parts.items()):
            [path] = artifacts().fetch(reference, folder / name, [PREDICTIONS_FILE])
            pd.read_csv(path, dtype=str, keep_default_na=False).to_csv(whole, mode="a", index=False, header=not place)
            path.unlink()
        store.put(whole, key)
    flags: Counter[str] = Counter()
    for reference in parts.values():
        flags.update(reference.facts["flags"])
    images = sum(reference.facts["images"] for reference in parts.values())
    rows = [{"": "images", "n": images}, *({"": flag, "n": n} for flag, n in flags.most_common())]
    create_table_artifact(rows, key="predictions", description=f"By version {version}, in {store.uri}/{key}")
    get_run_logger().info("%d images in %s/%s", images, store.uri, key)
    return Completed(message=f"{images:,} images in {store.uri}/{key}")
