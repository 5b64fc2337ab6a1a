"""Tasks of the evaluate stage: of the networks just trained, and of a published version on the same galaxies."""

from collections.abc import Mapping
from pathlib import Path

from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.columns import network_name, parse_network_name
from inclinet.data.filenames import batch_file
from inclinet.evaluation.evaluate import read_all_predictions, read_pictures, report
from inclinet.evaluation.filenames import (
    METRICS_TABLE_FILE,
    PREDICTIONS_FILE,
    left_out_predictions_file,
    predictions_file,
)
from inclinet.evaluation.predictions import merge_predictions, read_predictions, write_predictions
from inclinet.networks.devices import use_one_gpu
from inclinet.networks.filenames import parse_network
from inclinet.registry.versions import PublishedVersion, fetch_version, find_version
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.code_digest import code_digest
from tasks.common import artifacts, fetch_samples, finished, inputs_of, make, sample_inputs, stage_task
from tasks.filenames import CATALOG_FILE

__all__ = ["evaluate_task", "find_test_predictions_task", "predict_test_task"]


@stage_task("evaluate", "evaluate")
def evaluate_task(
    networks: dict[str, Reference], catalogue: Reference, samples: dict[str, Reference], batch: Reference, size: int
) -> State:
    """Evaluate all networks, by name, on the test set, and calibrate their error bars; the result goes to the page.

    `samples` are the split artifacts by stored band, `batch` is a stored batch: what the report shows.
    """

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("evaluate") as folder:
            paths, left_out = [], {}
            for name, reference in networks.items():
                model, k = parse_network_name(name)
                paths += artifacts().fetch(reference, folder, [predictions_file(k, model)])
                if (left := left_out_predictions_file(k, model)) in reference.files:
                    left_out[name] = read_predictions(artifacts().fetch(reference, folder, [left])[0])
            [catalog] = artifacts().fetch(catalogue, folder, [CATALOG_FILE])
            [stored] = artifacts().fetch(batch, folder, [batch_file(size, 1)])
            test, train = (fetch_samples(samples, size, (side, 0), folder) for side in ("test", "train"))
            pictures = read_pictures(test, train, stored)
            table = read_all_predictions(paths)
            result = report(table, out, catalog=catalog, left_out=left_out, pictures=pictures)
        return {name: result[name] if result else 0 for name in ("images", "galaxies")}

    inputs = inputs_of(networks) | {"catalogue": catalogue.digest, "batch": batch.digest}
    inputs |= sample_inputs(samples, size, ("test", 0), ("train", 0))
    state = make("evaluate", "all", inputs=inputs, settings={"networks": sorted(networks)}, work=work)
    with temporary_folder("evaluate") as folder:
        [path] = artifacts().fetch(state.data, folder, [METRICS_TABLE_FILE])
        create_markdown_artifact(path.read_text(), key="result", description="Figures of merit on the test galaxies.")
    return state


def _key_parts(bundle: PublishedVersion, samples: Mapping[str, Reference]) -> dict:
    """Return what a version's predictions for the test set are an artifact of, for `make`."""
    networks = {name: bundle.files[name].sha256 for name in bundle.networks}
    return {
        "inputs": networks | sample_inputs(samples, bundle.facts.size, ("test", 0)),
        "settings": {"size": bundle.facts.size},
        "code": code_digest(__name__),
    }


@stage_task("find", "find-{version}")
def find_test_predictions_task(version: str, samples: dict[str, Reference]) -> State:
    """Look for a version's predictions for the test set; the data are their reference, None if they are not there."""
    bundle = find_version(artifacts().store, version)
    reference = artifacts().find(artifacts().key("predictions", version, **_key_parts(bundle, samples)))
    return finished(reference) if reference else Completed(message="not predicted yet", data=None)


@stage_task("predictions", "predictions-{version}")
def predict_test_task(version: str, samples: dict[str, Reference]) -> State:
    """Predict the test set with a published version; `samples` are split artifacts, of the size that it takes."""
    store = artifacts().store
    bundle = find_version(store, version)

    def work(out: Path) -> Mapping[str, int]:
        use_one_gpu()
        from inclinet.networks.infer import load_network, predict_samples

        local = fetch_version(store, bundle)
        with temporary_folder("predict") as folder:
            test = fetch_samples(samples, bundle.facts.size, ("test", 0), folder)
            tables = [
                predict_samples(load_network(local / name), test, network_name(*parse_network(name)))
                for name in bundle.networks
            ]
        table = merge_predictions(tables)
        write_predictions(table, out / PREDICTIONS_FILE)
        return {"images": len(table)}

    return make("predictions", version, **_key_parts(bundle, samples), work=work)
