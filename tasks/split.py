"""Task of the split stage."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from prefect.client.schemas.objects import State

from inclinet.data.bands import stored_band
from inclinet.data.filenames import packed_file, sample_file
from inclinet.preparation.split import left_out_of_all, split_band
from inclinet.settings import Split
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.npz import read_arrays
from tasks.common import artifacts, make, stage_task

__all__ = ["split_task"]


@stage_task("split", "split-{band}")
def split_task(band: str, size: int, packed: Reference, settings: Split) -> State:
    """Split one band into test set, training set and subsamples, by PGC number and so alike in every band."""

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("split") as folder:
            [path] = artifacts().fetch(packed, folder, [packed_file(size, band)])
            split_band(path, stored_band(band), size, out, settings)

        def pgcs(side: str, k: int) -> np.ndarray:
            return read_arrays(out / sample_file(band, size, side, k), ["pgcIDs"])["pgcIDs"]

        left_out = {f"left_out_{k}": len(pgcs("test", k)) for k in range(1, settings.subsamples + 1)}
        left_out_0 = int(left_out_of_all(pgcs("train", 0)).sum())
        return {"train": len(pgcs("train", 0)), "test": len(pgcs("test", 0)), "left_out_0": left_out_0, **left_out}

    return make(
        "split",
        band,
        inputs={"packed": packed.digest},
        settings={"band": band, "size": size, **settings.model_dump()},
        work=work,
    )
