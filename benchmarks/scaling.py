"""How the data stages grow with the sample and with the cores, as a Markdown table.

python benchmarks/scaling.py [--galaxies 100 1000 10000] [--bands g gri] [--framing measured]

Simulates a hundred galaxies of 512×512 pixels, and links their images under as many names as it takes. Each stage runs
as a command, start of Python included, on one core and on all.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from os import cpu_count
from pathlib import Path

from tables import megabytes, print_header, print_row

from inclinet.data.filenames import parse_image
from inclinet.settings import Sample

CORES = cpu_count() or 1
SIZE = 128
DISTINCT = 100


def run(arguments: list[object], cores: int = CORES) -> tuple[float, float, int]:
    """Run a command of Inclinet on some cores; return its seconds, processor time (s) and peak memory (bytes).

    The peak is at least that of this process, from which Linux lets it start.
    """
    command = ["taskset", "--cpu-list", f"0-{cores - 1}", sys.executable, "-m", "inclinet", *map(str, arguments)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss


def link(mocks: Path, images: Path, galaxies: int, bands: list[str]) -> Path:
    """Link the images of the mocks under the names of so many galaxies; return the catalogue of these."""
    images.mkdir()
    header, *rows = (mocks / "catalog.csv").read_text().splitlines()
    named = [(path, parse_image(path.name, Sample().imroot)) for path in sorted(mocks.iterdir())]
    files = [(path, name) for path, name in named if name and name.band in bands]
    numbers = sorted({name.pgc for _, name in files})
    table = [header]
    for galaxy in range(1, galaxies + 1):
        mock = numbers[galaxy % len(numbers)]
        for path, name in files:
            if name.pgc == mock:
                (images / path.name.replace(f"pgc{mock}_", f"pgc{galaxy}_")).hardlink_to(path)
        table += [row.replace(str(mock), str(galaxy), 1) for row in rows if row.startswith(f"{mock} ")]
    catalog = images / "catalog.csv"
    catalog.write_text("\n".join(table) + "\n")
    return catalog


def measure(folder: Path, galaxies: int, bands: list[str], framing: str, mocks: Path) -> None:
    """Print the rows of one number of galaxies."""
    catalog = link(mocks, folder / "galaxies", galaxies, bands)
    for cores in sorted({1, CORES}):
        out = folder / f"out{cores}"
        prep = ["prep", "-b", ",".join(bands), "-p", catalog.parent, "-c", catalog, "-s", SIZE, "-o", out]
        stages = {
            f"prep, framing {framing}": [*prep, "--framing", framing],
            "compress": ["compress", "-i", out, "-o", out, "-s", SIZE],
            "split": ["split", "-i", out, "-o", out / "samples", "-s", SIZE, "-n", 3],
        }
        for name, arguments in stages.items():
            seconds, cpu, peak = run(arguments, cores)
            images = len(bands) * galaxies
            mine = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            memory = megabytes(peak) if peak > mine else f"under {megabytes(mine)}"
            cells = [f"{seconds:.1f}", f"{1000 * seconds / images:.2f}", f"{1000 * cpu / images:.2f}", memory]
            print_row([name, f"{galaxies:,}", f"{images:,}", cores, *cells])


def main() -> None:
    """Measure every stage for every number of galaxies."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--bands", nargs="+", default=["g", "gri"])
    parser.add_argument("--framing", default=Sample().framing, choices=["measured", "given"])
    options = parser.parse_args()
    columns = ["stage", "galaxies", "images", "cores", "s", "ms/image", "CPU ms/image", "peak memory"]
    with tempfile.TemporaryDirectory() as name:
        mocks = Path(name) / "mocks"
        run(["simulate", "-n", DISTINCT, "-s", 512, "-o", mocks])
        print_header(columns, left=1)
        for galaxies in options.galaxies:
            with tempfile.TemporaryDirectory(dir=name) as part:
                measure(Path(part), galaxies, options.bands, options.framing, mocks)


if __name__ == "__main__":
    main()
