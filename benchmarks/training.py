"""Training on this machine, printed as Markdown for RESULTS.md: python benchmarks/training.py (or: make bench).

Measures images per second by network, size, precision and backend, compared with Keras's own `fit` on the same arrays;
what a step costs beyond its arithmetic; the time to resume; and memory. Stored batches and snapshots go through a real
S3 server on 127.0.0.1, which ends with the script. Temporary files (10 GB with a GPU, 4 GB with --big, otherwise less
than 1 GB) are in the folder that TMPDIR names.
"""

import argparse
import importlib.util
import itertools
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from measurements import (
    EARLY,
    FETCHED,
    LATE,
    MINIBATCH,
    PRODUCTION,
    REPETITIONS,
    SECONDS,
    TINY,
    Result,
    describe,
    measure_big_step,
    measure_resume,
    measure_throughput,
    measure_tiny_steps,
    store_big_batches,
)
from runner import Runner
from tables import megabytes, print_header, print_row, rate, reason, share

from deployments.object_store import running_object_store
from deployments.processes import FOREIGN
from inclinet.networks.architectures import KERNEL, MODELS, smallest_size

BUCKET = "benchmark"


def forward_flops(model: str, size: int) -> int:
    """Return the operations of a forward pass for one image; a multiply-add counts as two."""
    flops, side, channels = 0, size, 3
    for block in MODELS[model].blocks:
        for _ in (1, 2):
            side -= KERNEL - 1
            flops += 2 * side**2 * KERNEL**2 * channels * block.filters
            channels = block.filters
        side //= block.pool
    lengths = [side**2 * channels, *MODELS[model].dense, 1]
    return flops + sum(2 * before * after for before, after in itertools.pairwise(lengths))


def print_devices(runner: Runner, backends: list[str]) -> dict[str, Result]:
    """Print what each backend runs on; returns this for the backends that work."""
    print(f"`python benchmarks/training.py` with Python {platform.python_version()}, {os.cpu_count()} cores:\n")
    found = {}
    for backend in backends:
        about = runner.run(backend, describe)
        if "error" in about:
            print(f"- {backend} does not work: {reason(about)}", flush=True)
            continue
        found[backend] = about
        print(f"- {about['versions']}: {about['device']}; `--precision auto` is {about['auto']}", flush=True)
    return found


def print_throughput(runner: Runner, options: argparse.Namespace, devices: dict[str, Result]) -> list[Result]:
    """Print the table of images per second; returns the rows that could be measured."""
    names = ["network", "pixels", "precision", "backend"]
    figures = ["images", "(a) `fit`", "(b) step", "(c) stored", "(c)/(a)", "later passes", "of (a)"]
    print_header([*names, *figures], left=len(names))
    rows = []
    for (model, size), (backend, about) in itertools.product(fitting(options), devices.items()):
        precisions = options.precisions or dict.fromkeys(["float32", about["auto"]])
        for precision in precisions:
            how = {"model": model, "size": size, "precision": precision}
            arguments = how | {"store": runner.store, "run": f"{model}-{size}-{precision}-{backend}"}
            result = runner.run(backend, measure_throughput, images=options.images, **arguments)
            print_throughput_row([model, size, precision, backend], result)
            if "error" not in result:
                rows.append(result | how | {"backend": backend, "gpu": about["gpu"]})
    print(
        f"""
Images per second in training, in mini-batches of {MINIBATCH}: (a) Keras's `fit` on arrays in memory, (b) a step of
Inclinet on the same arrays, (c) a run that fetches stored batches of this many images from an S3 server on this
machine, each for the first time, checks their SHA-256, and writes its snapshots there. Later passes read the batches
from the local cache (– where a batch takes so long that it makes no difference). (a) and (b) are medians of up to
{REPETITIONS} repetitions; (c) is measured over up to {FETCHED} steps, after one for warming up."""
    )
    return rows


def fitting(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Return every pair of network and size that fit together."""
    wanted = itertools.product(options.networks, options.sizes)
    return [(model, size) for model, size in wanted if size >= smallest_size(model)]


def print_throughput_row(names: list[object], result: Result) -> None:
    """Print one row of images per second, or why there is none."""
    if "error" in result:
        print_row([*names, "–", reason(result), *["–"] * 5])
        return
    fit, stored, later = result["fit"], result["stored"], result["later"]
    measured = [rate(fit), rate(result["step"]), rate(stored), share(stored, fit)]
    print_row([*names, f"{result['images']:,}", *measured, rate(later), share(later, fit) if later else "–"])


def print_costs(runner: Runner, options: argparse.Namespace, backends: Iterable[str]) -> None:
    """Print the table of what a run costs beyond its arithmetic, with a column for each backend."""
    columns = {backend: costs(runner, options, backend) for backend in backends}
    print_header(["", *columns], left=1)
    for name in next(iter(columns.values())):
        print_row([name, *(column[name] for column in columns.values())])


def costs(runner: Runner, options: argparse.Namespace, backend: str) -> dict[str, str]:
    """Return the fixed cost of a step, the time to resume and the memory of one backend, by row of the table."""
    model, size = min(fitting(options), key=lambda fits: forward_flops(*fits))
    what = {"model": model, "size": size, "run": f"tiny-{backend}"}
    local = runner.run(backend, measure_tiny_steps, **what, store=str(runner.folder / "local"), steps=EARLY)
    remote = runner.run(backend, measure_tiny_steps, **what, store=runner.store, steps=LATE)
    resumed = runner.run(backend, measure_resume, **what, store=runner.store, started=time.time())
    of = f"{model}, {size} pixels"
    rows = {
        f"step of {TINY} images ({of}) beyond its arithmetic, {EARLY} steps, in a folder": (cost_in_words, local),
        f"the same, {LATE} steps, with batches and snapshots on the S3 server": (cost_in_words, remote),
        f"from the start of a process until it has resumed from its last snapshot on the S3 server ({of})": (
            resume_in_words,
            resumed,
        ),
        f"resident memory after steps {EARLY} and {LATE} of that run": (growth_in_words, remote),
    }
    column = {name: reason(result) if "error" in result else words(result) for name, (words, result) in rows.items()}
    return column | (big_step(runner, options, backend) if options.big else {})


def cost_in_words(result: Result) -> str:
    """Return the fixed cost of a step."""
    return f"{1000 * result['median']:.0f} ms (median), {1000 * result['mean']:.0f} ms (mean)"


def resume_in_words(result: Result) -> str:
    """Return the time to resume, and its parts."""
    total, keras = result["total"], result["keras"]
    return f"{total:.1f} s: import of Keras {keras:.1f} s, the rest {total - keras:.1f} s (after step {result['step']})"


def growth_in_words(result: Result) -> str:
    """Return the memory after an early and a late step."""
    return ", ".join(megabytes(value) for value in result["memory"].values())


def big_step(runner: Runner, options: argparse.Namespace, backend: str) -> dict[str, str]:
    """Return the peak memory of a step over a stored batch of production size, also in multiples of its images."""
    images, model, size = options.images or PRODUCTION, "model4", 128
    raw = images * size * size * 3
    title = (
        f"peak memory of a step over {images:,} images ({model}, {size} pixels, {megabytes(raw)}) during the next fetch"
    )
    what = {"store": runner.store, "size": size, "images": images}
    result = runner.run(backend, store_big_batches, **what)
    if "error" not in result:
        result = runner.run(backend, measure_big_step, **what, model=model, run=f"big-{backend}")
    if "error" in result:
        return {title: reason(result)}

    def multiple(value: int | None) -> str:
        return megabytes(value) + ("" if value is None else f", {value / raw:.2f} ×")

    return {
        title: multiple(result["peak"]),
        "of which anonymous, without mapped files": multiple(result["anonymous"]),
        "anonymous before the step": multiple(result["before"]),
        "duration of the step": f"{result['seconds']:.0f} s, {rate(result['rate'])} images/s",
    }


def print_share_of_peak(rows: list[Result], peak: float | None) -> None:
    """Print what share of a GPU's peak performance model5 reaches."""
    wanted = {"model": "model5", "size": 128, "precision": "bfloat16", "gpu": True}
    for row in rows:
        if any(row[name] != value for name, value in wanted.items()):
            continue
        tera = 3 * forward_flops(row["model"], row["size"]) / 1e12  # backward is twice forward
        reached = {name: tera * row[column] for name, column in (("a", "fit"), ("b", "step"), ("c", "stored"))}
        of_peak = {name: f", {share(value, peak)} of the peak" if peak else "" for name, value in reached.items()}
        print(
            f"\nmodel5 at 128 pixels in bfloat16 on {row['backend']}, {1000 * tera:.1f} GFLOP per image in training: "
            + "; ".join(f"({name}) {value:.1f} TFLOP/s{of_peak[name]}" for name, value in reached.items()),
            flush=True,
        )


def installed_backends() -> list[str]:
    """Return the installed backends of Keras, among those that Inclinet supports."""
    return [name for name in ("tensorflow", "jax") if importlib.util.find_spec(name)]


def positive(text: str) -> int:
    """Return a positive integer given as an option."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("give a positive number")
    return value


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    backends, usual = installed_backends(), os.environ.get("KERAS_BACKEND", "tensorflow")
    parser.add_argument(
        "--networks", nargs="+", choices=list(MODELS), default=["model4", "model6", "model5"], help="(default: all)"
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=positive,
        default=[64, 128],
        metavar="PIXELS",
        help="sizes of the images (default: 64 128); too small for a network, they are left out",
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=["float32", "bfloat16"],
        help="arithmetic (default: float32, and bfloat16 where the hardware multiplies it natively)",
    )
    parser.add_argument(
        "--backends", nargs="+", choices=backends, default=[usual], help=f"backends of Keras (default: {usual})"
    )
    parser.add_argument(
        "--images",
        type=positive,
        metavar="N",
        help=f"images in a batch (default: as many as take {SECONDS:.0f} s, at most {PRODUCTION:,}; that with --big)",
    )
    parser.add_argument(
        "--big",
        action="store_true",
        help=f"also measure the peak memory of a step over {PRODUCTION:,} images of 128 pixels (5 minutes on 2 cores)",
    )
    parser.add_argument(
        "--peak-tflops",
        type=float,
        metavar="TFLOPS",
        help="dense bfloat16 performance in the GPU's data sheet, to print the share that model5 reaches",
    )
    options = parser.parse_args()
    if not fitting(options):
        parser.error("these sizes are too small for these networks")
    return options


def main() -> None:
    """Measure everything."""
    options = parse()
    end_like_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    with suppress(KeyboardInterrupt):
        bench(options)
        return
    sys.exit(128 + signal.SIGINT)


def end_like_ctrl_c(*signals: signal.Signals) -> None:
    """Stop the object store and remove temporary files on other signals, too, unless they are ignored (nohup)."""
    for number in signals:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def bench(options: argparse.Namespace) -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory(prefix="inclinet-benchmark-") as name:
        folder = Path(name)
        with running_object_store(folder / "s3", BUCKET) as environment:
            for variable in FOREIGN:
                os.environ.pop(variable, None)
            os.environ |= environment
            runner = Runner(folder, f"s3://{BUCKET}")
            devices = print_devices(runner, options.backends)
            if not devices:
                sys.exit(1)
            rows = print_throughput(runner, options, devices)
            print_costs(runner, options, devices)
            print_share_of_peak(rows, options.peak_tflops)


if __name__ == "__main__":
    main()
