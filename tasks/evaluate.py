"""Tasks at the end of a run: evaluate the networks, and leave an index of all that was made."""

import json
from collections.abc import Mapping
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.artifacts import Reference
from inclinet.naming import predictions_file
from inclinet.report import read_all_predictions, report
from tasks.common import artifacts, inputs_of, make, stage_task, work_folder
from tasks.inputs import CATALOG, SKIPPED

__all__ = ["evaluate", "index", "skipped"]

RESULT = "metrics.md"
_SHOWN_ROWS = 1000
_LOGGED_ROWS = 20


@stage_task("evaluate", "evaluate")
def evaluate(networks: dict[str, Reference], catalogue: Reference) -> State:
    """Evaluate all networks, by name, on the test set; the figures of merit also go to the run's page."""

    def work(out: Path) -> Mapping[str, int]:
        with work_folder("evaluate") as folder:
            paths = []
            for name, reference in networks.items():
                model, _, subsample = name.rpartition("_")
                paths += artifacts().fetch(reference, folder, [predictions_file(int(subsample), model)])
            [catalog] = artifacts().fetch(catalogue, folder, [CATALOG])
            table = read_all_predictions(paths)
            result = report(table, out, catalog=catalog) or {"images": 0, "galaxies": 0}
        return {"images": result["images"], "galaxies": result["galaxies"]}

    inputs = inputs_of(networks) | {"catalogue": catalogue.digest}
    state = make(
        "evaluate", "all", inputs=inputs, settings={"networks": sorted(networks)}, modules=["report"], work=work
    )
    with work_folder("evaluate") as folder:
        [path] = artifacts().fetch(state.data, folder, [RESULT])
        create_markdown_artifact(path.read_text(), key="result", description="Figures of merit on the test galaxies.")
    return state


@stage_task("skipped", "skipped")
def skipped(tables: dict[str, Reference]) -> State:
    """Gather the tables of skipped galaxies, by where they were skipped, into one."""
    import pandas as pd

    def gathered() -> pd.DataFrame:
        parts = []
        with work_folder("skipped") as folder:
            for name, reference in tables.items():
                [path] = artifacts().fetch(reference, folder / name, [SKIPPED])
                parts.append(pd.read_csv(path, dtype=str).assign(where=name))
        return pd.concat(parts, ignore_index=True)[["where", "pgc", "reason"]]

    def work(out: Path) -> Mapping[str, int]:
        table = gathered()
        table.to_csv(out / SKIPPED, index=False)
        return {"skipped": len(table)}

    state = make("skipped", "galaxies", inputs=inputs_of(tables), settings=None, modules=["prep"], work=work)
    with work_folder("skipped") as folder:
        [path] = artifacts().fetch(state.data, folder, [SKIPPED])
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).head(_SHOWN_ROWS)
        for row in rows.head(_LOGGED_ROWS).itertuples():
            get_run_logger().warning("skipped in %s: PGC %s: %s", row.where, row.pgc, row.reason)
        create_table_artifact(
            rows.to_dict("records"),
            key="skipped",
            description=f"{state.data.facts['skipped']} galaxies skipped, by band and stage, with the reason.",
        )
    return state


@stage_task("index", "index")
def index(run: str, made: dict[str, list[Reference]], copied: list[str]) -> State:
    """Write `runs/<run>/index.json`: where in the store each file of the run is, by folder and file name.

    Files of the folders `copied` are copied beside it, so that a person finds them without the index.
    """
    store = artifacts().store
    files = {
        f"{folder}/{name}": f"{reference.folder}/{name}"
        for folder, references in made.items()
        for reference in references
        for name in reference.files
    }
    for folder in copied:
        with work_folder("index") as local:
            for reference in made[folder]:
                for path in artifacts().fetch(reference, local):
                    store.put(path, f"runs/{run}/{folder}/{path.name}")
    store.write(f"runs/{run}/index.json", json.dumps(files, indent=1).encode())
    return Completed(message=f"runs/{run}/index.json ({len(files)} files)")
