"""Time and memory of `inclinet serve`: one image after the other, and 20 clients at once.

Usage: python benchmarks/serve.py IMAGE
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
from tables import processor_time

CLIENTS, ROUNDS = 20, 5


def main(image: Path) -> None:
    """Start a server on a free port, ask it, and print what it took."""
    command = [sys.executable, "-m", "inclinet", "serve", "--version", "shipped", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            measure(server.stdout.readline().strip(), psutil.Process(server.pid), image)
        finally:
            server.terminate()


def measure(address: str, process: psutil.Process, image: Path) -> None:
    """Print the times and the memory of requests with an image."""
    content = image.read_bytes()

    def ask(pictures: bool = False) -> float:
        start = time.perf_counter()
        form = {"pictures": str(pictures).lower()}
        done = httpx.post(f"{address}api/predict", files={"files": (image.name, content)}, data=form, timeout=300)
        done.raise_for_status()
        return time.perf_counter() - start

    load = psutil.getloadavg()[0]
    print(f"{image.name}, {psutil.cpu_count()} cores at a load of {load:.1f}; {memory(process)} MB after the start")
    for pictures in (False, True):
        ask(pictures)
        before = processor_time(process)
        times = [ask(pictures) for _ in range(CLIENTS)]
        used = (processor_time(process) - before) / CLIENTS
        what = "with its picture" if pictures else "one image"
        print(f"{what:18s} {used:.3f} s of processor time, answered in {np.median(times):.3f} s (median)")
    with ThreadPoolExecutor(CLIENTS) as clients:
        for _ in range(ROUNDS):
            before = processor_time(process)
            times = list(clients.map(lambda _: ask(), range(CLIENTS)))
            used = processor_time(process) - before
            print(
                f"{CLIENTS} clients at once {used:.2f} s of processor time, answered in {np.median(times):.2f} s "
                f"(median) and {max(times):.2f} s (last); {memory(process)} MB"
            )


def memory(process: psutil.Process) -> int:
    """Return the memory that a process holds, MB."""
    return round(process.memory_info().rss / 1e6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
