"""Task of the evaluate stage."""

from collections.abc import Mapping
from pathlib import Path

from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State

from inclinet.artifacts import Reference
from inclinet.files import temporary_folder
from inclinet.naming import predictions_file
from inclinet.report import read_all_predictions, report
from tasks.common import artifacts, inputs_of, make, stage_task
from tasks.inputs import CATALOG

__all__ = ["evaluate"]

RESULT = "metrics.md"


@stage_task("evaluate", "evaluate")
def evaluate(networks: dict[str, Reference], catalogue: Reference) -> State:
    """Evaluate all networks, by name, on the test set; the figures of merit also go to the run's page."""

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("evaluate") as folder:
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
    with temporary_folder("evaluate") as folder:
        [path] = artifacts().fetch(state.data, folder, [RESULT])
        create_markdown_artifact(path.read_text(), key="result", description="Figures of merit on the test galaxies.")
    return state
