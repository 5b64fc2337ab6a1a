"""Task of the prep stage."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from prefect.client.schemas.objects import State

from inclinet.errors import InclinetError
from inclinet.preparation.prep import downsample, write_shapes, write_skipped
from inclinet.settings import Sample
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from tasks.buckets import read_bucket
from tasks.common import artifacts, make, stage_task
from tasks.filenames import FILES_FILE, SHAPES_FILE, SKIPPED_FILE, SMALL_IMAGES_FILE
from tasks.images import locate_image

__all__ = ["prep_task"]


def _zip(folder: Path, path: Path) -> None:
    """Pack the files of a folder; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())


@stage_task("prep", "prep-{band}-{bucket}")
def prep_task(sample: Sample, band: str, size: int, listing: Reference, bucket: str) -> State:
    """Downsample the images of one bucket of one band's inventory; the artifact holds them in `images.zip`."""

    def work(out: Path) -> Mapping[str, int]:
        with temporary_folder("prep") as folder:
            [path] = artifacts().fetch(listing, folder, [FILES_FILE])
            rows = read_bucket(path, bucket)
            digests = {name: digest for _, name, digest, _ in rows}

            def fetch(name: str) -> BinaryIO:
                store, key = locate_image(sample, name)
                try:
                    content, fingerprint = store.read_with_fingerprint(key)
                except FileNotFoundError:
                    content, fingerprint = b"", ""
                if digests[name] != fingerprint and digests[name] != hashlib.sha256(content).hexdigest():
                    raise InclinetError(f"{store.uri}/{key} was changed during the run; run it again")
                return io.BytesIO(content)

            small = folder / "small"
            small.mkdir()
            skipped, shapes = downsample(
                {pgc: name for pgc, name, _, _ in rows},
                {pgc: label for pgc, _, _, label in rows},
                fetch,
                small,
                band,
                size,
                sample.framing,
                workers=2,
            )
            _zip(small, out / SMALL_IMAGES_FILE)
        write_skipped(out / SKIPPED_FILE, skipped)
        if shapes:
            write_shapes(out / SHAPES_FILE, shapes)
        return {"images": len(rows) - len(skipped), "skipped": len(skipped)}

    inputs = {"images": listing.facts["chunks"][bucket]}
    settings = {"band": band, "size": size, "framing": sample.framing}
    return make("prep", f"{band}-{bucket}", inputs=inputs, settings=settings, work=work)
