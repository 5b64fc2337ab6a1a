"""Tasks that predict a challenger's test set with the version in use, so that the two can be compared.

They are a module of their own: what they predict must not change with, say, the text of a report.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.evaluation.predictions import merge_predictions, write_predictions
from inclinet.networks.devices import use_one_gpu
from inclinet.registry.copies import fetch_version
from inclinet.registry.versions import PublishedVersion, find_version
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.code_digest import code_digest
from tasks.common import artifacts, fetch_samples, finished, make, sample_inputs, stage_task

__all__ = ["find_folds_task", "find_size_task", "find_test_predictions_task", "predict_test_task"]


@stage_task("image-size", "image-size-{version}")
def find_size_task(version: str) -> State:
    """Look up the size of the images that a version takes; the data are their side in pixels."""
    size = find_version(artifacts().store, version).info.size
    return Completed(message=f"{size} pixels a side", data=size)


@stage_task("find", "find-folds-{version}")
def find_folds_task(version: str) -> State:
    """Look up how a version was tested; the data are the folds of its cross-validation, 0 for a test set."""
    test = find_version(artifacts().store, version).info.test
    folds = test.folds if test else 0
    return Completed(message=f"cross-validated in {folds} folds" if folds else "on a test set", data=folds)


@stage_task("find", "find-predictions-{version}")
def find_test_predictions_task(version: str, samples: dict[str, Reference]) -> State:
    """Look for a version's predictions for the test set; the data are their reference, None if there are none."""
    published = find_version(artifacts().store, version)
    reference = artifacts().find(artifacts().key("predictions", version, **_key_parts(published, samples)))
    return finished(reference) if reference else Completed(message="not predicted yet", data=None)


@stage_task("predictions", "predictions-{version}")
def predict_test_task(version: str, samples: dict[str, Reference]) -> State:
    """Predict the test set with a published version; `samples` are split artifacts of the size that it takes."""
    store = artifacts().store
    published = find_version(store, version)

    def work(out: Path) -> Mapping[str, int]:
        use_one_gpu()
        from inclinet.networks.infer import predict_samples
        from inclinet.networks.load import load_network

        local = fetch_version(store, published, names=published.networks)
        with temporary_folder("predict") as folder:
            test = fetch_samples(samples, published.info.size, ("test", 0), folder)
            tables = [
                predict_samples(load_network(local / file), test, name)
                for file, name in zip(published.networks, published.network_names, strict=True)
            ]
        table = merge_predictions(tables)
        write_predictions(table, out / PREDICTIONS_FILE)
        return {"images": len(table)}

    return make("predictions", version, **_key_parts(published, samples), work=work)


def _key_parts(published: PublishedVersion, samples: Mapping[str, Reference]) -> dict[str, Any]:
    """Return the inputs, settings and code that a version's predictions for the test set depend on, for `make`."""
    networks = {name: published.files[name].sha256 for name in published.networks}
    return {
        "inputs": networks | sample_inputs(samples, published.info.size, ("test", 0)),
        "settings": {"size": published.info.size},
        "code": code_digest(__name__),
    }
