"""Bytes and speed of compressed stored batches: python benchmarks/compression.py [--galaxies 250] [--processes 24].

Prints what ISA-L and zlib make of a stored batch, and of one without noise; then compresses its images in several
processes and counts those of which not all processes give the same bytes, level by level.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from isal import isal_zlib
from tables import print_header, print_row

from inclinet.data.bands import BANDS
from inclinet.data.filenames import band_folder
from inclinet.data.samples import Batch, find_samples, read_samples
from inclinet.preparation.augment import training_batch, write_training_batch
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep_bands
from inclinet.preparation.split import split
from inclinet.settings import Augment
from inclinet.simulation.simulate import simulate
from inclinet.storage.deflate import compress_rows

LEVELS = (1, 2, 3)


def speed(work: Callable[[], object], size: int) -> tuple[object, str]:
    """Return what a call returns, and the MB/s of processor time in which it works through `size` bytes."""
    start = time.process_time()
    result = work()
    return result, f"{size / 1e6 / (time.process_time() - start):.0f}"


def alone(image: np.ndarray, level: int) -> bytes:
    """Compress an image as `compress_rows` does, at any level."""
    stream = isal_zlib.compressobj(level, isal_zlib.DEFLATED, -15)
    return stream.compress(image.data) + stream.flush(isal_zlib.Z_FULL_FLUSH)


def print_bytes(name: str, images: np.ndarray) -> None:
    """Print a row for each way to compress images."""
    raw = images.tobytes()
    piece, packing = speed(lambda: compress_rows([image.data for image in images]), len(raw))
    _, unpacking = speed(lambda: isal_zlib.decompressobj(-15).decompress(piece.content), len(raw))
    print_row([name, "ISA-L, each image on its own", f"{len(piece.content) / 1e6:.1f}", packing, unpacking])
    whole, packing = speed(lambda: zlib.compress(raw, 6), len(raw))
    _, unpacking = speed(lambda: zlib.decompress(whole), len(raw))
    print_row([name, "zlib, level 6, in one stream", f"{len(whole) / 1e6:.1f}", packing, unpacking])


def print_differences(path: Path, processes: int) -> None:
    """Print how many images have other bytes in some process than in most."""
    command = [sys.executable, __file__, "--checksums", str(path)]
    outputs = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(processes)]
    sums = np.stack([np.frombuffer(output, np.uint32).reshape(len(LEVELS), -1) for output in outputs])
    for row, level in enumerate(LEVELS):
        differ = sum(len(np.unique(column)) > 1 for column in sums[:, row].T)
        print(f"level {level}: {differ} of {sums.shape[2]:,} images differ in {processes} processes", flush=True)


def write_checksums(path: Path) -> None:
    """Write the checksum of each image of a stored batch, compressed at each level, to the standard output."""
    images = Batch.read(path).images
    # Copies, at other addresses in every process.
    sums = [[zlib.crc32(alone(image.copy(), level)) for image in images] for level in LEVELS]
    sys.stdout.buffer.write(np.array(sums, np.uint32).tobytes())


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=250)
    parser.add_argument("--batchsize", type=int, default=100, help="images per bin and colour class")
    parser.add_argument("--processes", type=int, default=24, help="to compare")
    parser.add_argument("--checksums", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.checksums:
        write_checksums(options.checksums)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalog = simulate(options.galaxies, folder / "galaxies")
        prep_bands(folder / "galaxies", catalog, BANDS, outfolder=folder)
        for band in BANDS:
            compress(folder / band_folder(128, band), folder)
        split(folder, folder)
        samples = read_samples(find_samples(folder, 128, "train", 0), 128)
        print_header(["stored batch", "compressed by", "MB", "MB/s", "unpacked, MB/s"], left=2)
        for preset in ("wide", "published"):
            for title, ranges in ((preset, {}), (f"{preset}, without noise", {"noise": 0})):
                settings = Augment(batchsize=options.batchsize, preset=preset, **ranges)
                print_bytes(title, training_batch(samples, 1, 1, settings).images)
        path = folder / "batch.npz"
        write_training_batch(path, samples, 1, 1, Augment(batchsize=options.batchsize))
        print()
        print_differences(path, options.processes)


if __name__ == "__main__":
    main()
