"""Task of the compress stage."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from prefect.client.schemas.objects import State

from inclinet.data.filenames import packed_file, parse_small
from inclinet.errors import InclinetError
from inclinet.preparation.compress import pack
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from tasks.common import artifacts, inputs_of, make, stage_task
from tasks.filenames import SMALL_IMAGES_FILE

__all__ = ["compress_task"]


@stage_task("compress", "compress-{band}")
def compress_task(band: str, size: int, prepared: dict[str, Reference]) -> State:
    """Pack one band's downsampled images, given as prep artifacts by bucket, into one array file."""

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("compress") as folder:
            for bucket, reference in prepared.items():
                [path] = artifacts().fetch(reference, folder / bucket, [SMALL_IMAGES_FILE])
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(folder / "small")
            small = folder / "small"
            small.mkdir(exist_ok=True)
            files = [(path, name) for path in small.iterdir() if (name := parse_small(path.name))]
            if not files:
                raise InclinetError(
                    f"band {band}: no image can be used; the table of skipped galaxies gives the reasons"
                )
            pack(files, out / packed_file(size, band), workers=2)
        return {"images": len(files)}

    return make("compress", band, inputs=inputs_of(prepared), settings={"band": band, "size": size}, work=work)
