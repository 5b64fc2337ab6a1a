"""Task that collects the errors of the labels, which weigh them in training."""

from collections.abc import Mapping
from pathlib import Path

from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.storage.artifacts import Reference
from inclinet.storage.digests import json_digest
from inclinet.training.label_errors import write_label_errors
from tasks.catalogue import read_catalogue
from tasks.common import make, stage_task
from tasks.filenames import LABEL_ERRORS_FILE

__all__ = ["label_errors_task"]


@stage_task("label_errors", "label_errors")
def label_errors_task(catalogue: Reference) -> State:
    """Collect the errors of the labels that regression uses; the data are None if the catalogue has none.

    They are an artifact of their own: training does not depend on the rest of the catalogue.
    """
    errors = read_catalogue(catalogue).errors
    if not errors:
        return Completed(name="Cached", message="the catalogue has no errors of labels", data=None)

    def work(folder: Path) -> Mapping[str, int]:
        write_label_errors(folder / LABEL_ERRORS_FILE, errors)
        return {"galaxies": len(errors)}

    inputs = {"errors": json_digest({str(pgc): error for pgc, error in errors.items()})}
    return make("label_errors", "labels", inputs=inputs, settings=None, work=work)
