"""Task of the evaluate stage: the networks just trained, on the test galaxies."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State

from inclinet.data.columns import parse_network_name
from inclinet.data.filenames import batch_file
from inclinet.evaluation.evaluate import Background, read_all_predictions, read_pictures, read_trainings, report
from inclinet.evaluation.filenames import METRICS_TABLE_FILE, left_out_predictions_file, predictions_file
from inclinet.evaluation.predictions import read_predictions
from inclinet.records import read_record
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.training.filenames import metrics_file, start_file
from inclinet.training.start import StartRecord
from tasks.catalogue import read_catalogue
from tasks.common import artifacts, fetch_samples, inputs_of, make, sample_inputs, stage_task
from tasks.filenames import SKIPPED_FILE

__all__ = ["evaluate_task"]


@stage_task("evaluate", "evaluate")
def evaluate_task(
    networks: dict[str, Reference],
    catalogue: Reference,
    samples: dict[str, Reference],
    batch: Reference,
    skipped: Reference,
    size: int,
) -> State:
    """Evaluate all networks on the test set, and calibrate their error bars; the metrics go to the run's page.

    `networks` are given by name, `samples` are the split artifacts by stored band; `batch` is a stored batch, and
    `skipped` the table of skipped galaxies, for the report.
    """

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("evaluate") as folder:
            paths, left_out, starts = [], {}, []
            for name, reference in networks.items():
                model, k = parse_network_name(name)
                if (metrics := metrics_file(k, model)) in reference.files:
                    artifacts().fetch(reference, folder, [metrics])
                paths += artifacts().fetch(reference, folder, [predictions_file(k, model)])
                if (left := left_out_predictions_file(k, model)) in reference.files:
                    left_out[name] = read_predictions(artifacts().fetch(reference, folder, [left])[0])
                if (start := start_file(k, model)) in reference.files:
                    starts.append(read_record(StartRecord, artifacts().fetch(reference, folder, [start])[0]))
            [stored] = artifacts().fetch(batch, folder, [batch_file(size, 1)])
            [missing] = artifacts().fetch(skipped, folder, [SKIPPED_FILE])
            test, train = (fetch_samples(samples, size, (side, 0), folder) for side in ("test", "train"))
            background = Background(
                read_pictures(test, train, stored),
                read_trainings(folder, networks),
                tuple(filter(None, starts)),
                pd.read_csv(missing, dtype=str, keep_default_na=False),
            )
            table = read_all_predictions(paths)
            known = read_catalogue(catalogue)
            result = report(table, out, catalog=known, left_out=left_out, background=background)
        return {name: result[name] if result else 0 for name in ("images", "galaxies")}

    inputs = inputs_of(networks) | {"catalogue": catalogue.digest, "batch": batch.digest, "skipped": skipped.digest}
    inputs |= sample_inputs(samples, size, ("test", 0), ("train", 0))
    state = make("evaluate", "all", inputs=inputs, settings={"networks": sorted(networks)}, work=work)
    with temporary_folder("evaluate") as folder:
        [path] = artifacts().fetch(state.result(), folder, [METRICS_TABLE_FILE])
        create_markdown_artifact(path.read_text(), key="result", description="Metrics on the test galaxies (deg).")
    return state
