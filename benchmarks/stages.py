"""Speed of the stages on this machine: python benchmarks/stages.py [--galaxies 200] [--size 128].

Simulates galaxies, runs each stage on local files, and prints a table: seconds, processor time, peak memory, and the
ratio to a floor, which is measured just before and after in the same process: what the libraries at the bottom of the
stage need for the same images, on as many cores.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from os import cpu_count
from pathlib import Path

import cv2
import numpy as np
import psutil
from PIL import Image
from tables import megabytes, print_header, print_row, processor_time

from inclinet.data.bands import BANDS, COLOUR
from inclinet.data.filenames import band_folder, packed_file, parse_image
from inclinet.data.samples import Batch, find_samples, read_samples
from inclinet.preparation.augment import write_training_batch
from inclinet.preparation.compress import compress
from inclinet.preparation.prep import prep_bands
from inclinet.preparation.split import split
from inclinet.settings import Augment, Split
from inclinet.simulation.simulate import simulate
from inclinet.storage.npz import read_arrays

CORES = cpu_count() or 1
Work = Callable[[], object]


def seconds_of(work: Work) -> tuple[float, float]:
    """Return the seconds and the processor time (s) of a call."""
    wall, cpu = time.perf_counter(), all_processor_time()
    work()
    return time.perf_counter() - wall, all_processor_time() - cpu


def all_processor_time() -> float:
    """Return the processor time (s) of this process and of those that work for it."""
    return time.process_time() + sum(map(processor_time, psutil.Process().children(recursive=True)))


def in_parallel(function: Callable, items: list, workers: int) -> None:
    """Call a function on all items, in threads."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(function, items):
            pass


def decode(path: Path) -> None:
    """Open an image and reduce it, and do nothing else."""
    # A few simulated files are truncated, as real ones are.
    with suppress(OSError), Image.open(path) as image:
        np.asarray(image.convert("RGB" if COLOUR in path.name else "L").resize((128, 128), Image.Resampling.BICUBIC))


def measure(row: tuple[str, int, Work, Work, int], result: "multiprocessing.Queue[list]") -> None:
    """Measure a stage and its floor in turn, floor first and last."""
    name, images, work, floor, workers = row
    below = [seconds_of(floor)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = seconds_of(work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    below.append(seconds_of(floor))
    floor_cpu = min(seconds for _, seconds in below)
    result.put(
        [
            name,
            f"{images:,}",
            workers,
            f"{wall:.2f}",
            f"{1000 * wall / images:.3f}",
            f"{1000 * cpu / images:.3f}",
            f"{1000 * floor_cpu / images:.3f}",
            f"{cpu / floor_cpu:.1f}",
            megabytes(1024 * peak) if peak > before else f"under {megabytes(1024 * before)}",
        ]
    )


def report(name: str, images: int, work: Work, floor: Work, workers: int = CORES) -> None:
    """Print the row of one stage, measured in a process of its own for the sake of its peak memory."""
    context = multiprocessing.get_context("fork")
    result = context.Queue()
    process = context.Process(target=measure, args=((name, images, work, floor, workers), result))
    process.start()
    print_row(result.get())
    process.join()


def print_stages(folder: Path, galaxies: int, size: int, batchsize: int) -> None:
    """Print the table of the stages from prep to augment."""
    source = folder / "galaxies"
    catalog = simulate(galaxies, source, size=512)
    given = [path for path in sorted(source.iterdir()) if (name := parse_image(path.name, "d25x2_rot")) and name.band]
    columns = ["images", "cores", "s", "ms/image", "CPU ms/image", "floor, CPU ms/image", "ratio of CPU", "peak memory"]
    print_header(["stage", *columns], left=1)
    for workers in sorted({1, CORES}):
        for framing in ("given", "measured"):
            report(
                f"prep, framing {framing}",
                len(given),
                lambda workers=workers, framing=framing: prep_bands(
                    source, catalog, BANDS, size=size, outfolder=folder, framing=framing, workers=workers
                ),
                lambda workers=workers: in_parallel(decode, given, workers),
                workers,
            )
    small = [path for band in BANDS for path in (folder / band_folder(size, band)).iterdir()]
    folders = [folder / band_folder(size, band) for band in BANDS]
    report(
        "compress",
        len(small),
        lambda: [compress(one, folder, size=size) for one in folders],
        lambda: in_parallel(lambda path: np.asarray(Image.open(path)), small, CORES),
    )
    packed = [path for path in folder.glob(packed_file(size, "*")) if path.is_file()]
    images = [read_arrays(path, ["images"])["images"] for path in packed]
    report(
        "split, 3 subsamples",
        len(small),
        lambda: split(folder, folder, size=size, settings=Split()),
        lambda: [np.array(one) for one in images for _ in range(4)],
    )
    print_augment(folder, size, batchsize)


def print_augment(folder: Path, size: int, batchsize: int) -> None:
    """Print the rows of a stored batch: made, unpacked, and as large as it is."""
    samples = read_samples(find_samples(folder, size, "train", 0), size)
    turned = cv2.getRotationMatrix2D((size / 2, size / 2), 30, 1)
    half = [samples["RGB"].images[0], np.ascontiguousarray(samples["g"].images[0][..., 0])]
    path = folder / "batch.npz"
    for preset in ("wide", "published"):
        for raw in (True, False):
            settings = Augment(batchsize=batchsize, preset=preset, raw=raw)
            count = batchsize * write_training_batch(path, samples, 1, 1, Augment(batchsize=1))
            for workers in sorted({1, CORES}):
                report(
                    f"augment, {preset}{', uncompressed' if raw else ''}; floor: OpenCV's warp",
                    count,
                    lambda settings=settings, workers=workers: write_training_batch(
                        path, samples, 1, 1, settings, workers=workers
                    ),
                    lambda workers=workers, count=count: in_parallel(
                        lambda i: cv2.warpAffine(half[i % 2], turned, (size, size), flags=cv2.INTER_CUBIC),
                        range(count),
                        workers,
                    ),
                    workers,
                )
        report(
            f"unpack that batch, {path.stat().st_size / 1e6:,.0f} MB for {size * size * 3 * count / 1e6:,.0f}; "
            "floor: copying it",
            count,
            lambda: Batch.read(path),
            lambda count=count: np.zeros((count, size, size, 3), np.uint8).copy(),
        )


def print_starts() -> None:
    """Print the processor time of starting commands, and of Python alone."""
    print_header(["start", "CPU s", "Python alone, CPU s"], left=1)
    for arguments in (["--help"], *([stage, "--help"] for stage in ("prep", "compress", "split", "augment", "train"))):
        mine, alone = (
            min(start(code) for _ in range(5)) for code in (["-m", "inclinet", *arguments], ["-c", "import numpy"])
        )
        print_row([f"inclinet {' '.join(arguments)}", f"{mine:.2f}", f"{alone:.2f}"])


def start(arguments: list[str]) -> float:
    """Return the processor time (s) of a process of Python."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure every stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument(
        "--batchsize", type=int, default=100, help="images per bin and colour class; 1000 in production"
    )
    options = parser.parse_args()
    print(f"{CORES} cores, {options.galaxies} galaxies of 512 pixels in {len(BANDS)} bands, to {options.size} pixels")
    print_starts()
    with tempfile.TemporaryDirectory() as name:
        print_stages(Path(name), options.galaxies, options.size, options.batchsize)


if __name__ == "__main__":
    main()
