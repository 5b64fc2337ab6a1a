"""Tasks that look at what a training starts from: keep its network as an artifact, and check it for leaks."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from prefect import get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.filenames import sample_file
from inclinet.errors import InclinetError
from inclinet.preparation.split import left_out_side
from inclinet.records import read_record
from inclinet.registry.start import start_from_file, start_from_version
from inclinet.registry.versions import is_version
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder, write_text
from inclinet.training.start import MAY_HAVE_SEEN, Start, StartRecord, check_leaks, measured_galaxies
from tasks.common import artifacts, locate, make, stage_task
from tasks.filenames import START_FILE, START_NETWORK_FILE

__all__ = ["check_starts_task", "start_task"]


@stage_task("weights", "weights-{model}")
def start_task(start: str, model: str, size: int) -> State:
    """Find the network that a training of `model` starts from, and keep it with what is recorded of it.

    `start` is a published version, or a file of one network: a key of the artifact store, s3://bucket/key, or an
    absolute path.
    """
    with temporary_folder("start") as folder:
        found = _find(start, model, size, folder)

        def work(out: Path) -> Mapping[str, int]:
            shutil.copyfile(found.file, out / START_NETWORK_FILE)
            write_text(out / START_FILE, found.record.model_dump_json(indent=1))
            return {} if found.record.galaxies is None else {"galaxies": len(found.record.galaxies)}

        return make("weights", model, inputs={}, settings=found.record.model_dump(mode="json"), work=work)


def _find(start: str, model: str, size: int, folder: Path) -> Start:
    store = artifacts().store
    if is_version(start):
        return start_from_version(store, start, [model], size)[model]
    store, key = locate(start, store)
    path = folder / START_NETWORK_FILE
    try:
        store.get(key, path)
    except (FileNotFoundError, IsADirectoryError):
        raise InclinetError(
            f"{start!r} is neither a published version nor a file in {store.uri}", setting="start"
        ) from None
    return start_from_file(path, model, size)


@stage_task("find", "check-start")
def check_starts_task(
    starts: dict[str, Reference], samples: dict[str, Reference], size: int, subsamples: int, leave_out: bool
) -> State:
    """Check that no network to start from has seen a galaxy that the training is measured on.

    `starts` are given by model, `samples` are the split artifacts by stored band; `leave_out` tells whether subsample 0
    leaves out galaxies. The data are the number of galaxies to measure on.
    """
    sides = {("test", 0), *(left_out_side(k) for k in range(subsamples + 1))}
    with temporary_folder("start") as folder:
        for band, reference in samples.items():
            artifacts().fetch(reference, folder, [sample_file(band, size, *side) for side in sorted(sides)])
        measured = np.unique(
            np.concatenate(
                [measured_galaxies(folder, size, k, leaves_out=k > 0 or leave_out) for k in range(subsamples + 1)]
            )
        )
        for reference in starts.values():
            [path] = artifacts().fetch(reference, folder, [START_FILE])
            record = read_record(StartRecord, path)
            assert record is not None
            check_leaks(record, measured)
            if record.galaxies is None:
                get_run_logger().warning(MAY_HAVE_SEEN)
    message = f"{measured.size:,} galaxies to measure on, none of them seen as far as is known"
    return Completed(message=message, data=int(measured.size))
