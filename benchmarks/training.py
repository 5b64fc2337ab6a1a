"""Training on this machine, printed as Markdown for RESULTS.md: python benchmarks/training.py (or: make bench).

Images a second by network, size, precision and backend, beside Keras's own `fit` on the same arrays; what a step
costs beside its arithmetic; the time to resume; memory. Every measurement has a process of its own (measurements.py),
since Keras's backend is chosen before its import and a peak of memory is a process's. Stored batches and snapshots
go through a real S3 server on 127.0.0.1, which ends with the script. Temporary files (10 GB with a GPU, 4 GB with
--big, else less than 1 GB) lie where TMPDIR says.
"""

import argparse
import importlib.util
import itertools
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
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

from inclinet.networks.architectures import KERNEL, MODELS, smallest_size

BUCKET = "benchmark"
FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")  # a user's own cloud would win over the server


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Run an S3 server on a folder; gives its address for `open_store`. Its credentials go to the environment."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    rclone = shutil.which("rclone", path=places)
    if rclone is None:
        sys.exit("rclone is missing: install the extra `service` of inclinet")
    folder.mkdir()
    access, secret, port = secrets.token_hex(10), secrets.token_hex(20), free_port()
    server = subprocess.Popen(
        # An empty --config keeps the user's own rclone settings out.
        [rclone, "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--config", ""],
        env=os.environ | {"RCLONE_AUTH_KEY": f'"{access},{secret}"'},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for name in FOREIGN:
            os.environ.pop(name, None)
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }
        create_bucket(server)
        yield f"s3://{BUCKET}"
    finally:
        stop(server)


def create_bucket(server: subprocess.Popen) -> None:
    """Make the bucket as soon as the server answers."""
    client = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}, connect_timeout=1))
    for _ in range(100):
        with suppress(BotoCoreError, ClientError):
            client.create_bucket(Bucket=BUCKET)
            return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("the object store did not start")


def stop(process: subprocess.Popen) -> None:
    """End a process, at last by force."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Bench:
    """Runs the measurements, each in a process of its own.

    Parameters
    ----------
    folder : Path
        Of all temporary files; the caller removes it.
    store : str
        Address of the object store.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.store = folder, store

    def run(self, backend: str, job: Callable[..., Result], **arguments: object) -> Result:
        """Return what a child measures; `error` says why there is nothing."""
        hidden = ("store", "run", "started")
        about = " ".join(str(value) for name, value in arguments.items() if value and name not in hidden)
        print(f"… {job.__name__} {about} {backend}", file=sys.stderr, flush=True)
        environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        with tempfile.TemporaryDirectory(prefix="job-", dir=self.folder) as scratch:
            task = json.dumps({"job": job.__name__, "scratch": scratch, "arguments": arguments})
            done = subprocess.run(
                [sys.executable, str(Path(__file__).with_name("measurements.py")), task],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        result = result_of(done)
        if "error" in result:
            print(done.stderr, file=sys.stderr, flush=True)
        return result


def result_of(done: subprocess.CompletedProcess) -> Result:
    """Return the line of JSON that a child printed, or why there is none."""
    with suppress(IndexError, ValueError):
        return json.loads(done.stdout.splitlines()[-1])
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return {"error": f"ended by {name}" + (", for want of memory?" if name == "SIGKILL" else "")}
    return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}


def print_row(cells: Iterable[object]) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def print_head(cells: list[str], left: int) -> None:
    """Print the head of a Markdown table whose first `left` columns are text."""
    print()
    print_row(cells)
    print("|" + "|".join(":--" if i < left else "--:" for i in range(len(cells))) + "|", flush=True)


def reason(result: Result) -> str:
    """Return why there is no result, fit for a cell of a table."""
    return " ".join(result["error"].replace("|", "/").split())[:200]


def rate(images_per_second: float | None) -> str:
    """Return images a second with three digits or more."""
    if images_per_second is None:
        return "–"
    return f"{images_per_second:,.{0 if images_per_second >= 100 else 1}f}"


def share(part: float, whole: float) -> str:
    """Return a part as a percentage."""
    return f"{part / whole:.0%}"


def forward_flops(model: str, size: int) -> int:
    """Return the operations (two for a multiply-add) of the layers for one image, forward."""
    flops, side, channels = 0, size, 3
    for block in MODELS[model].blocks:
        for _ in (1, 2):
            side -= KERNEL - 1
            flops += 2 * side**2 * KERNEL**2 * channels * block.filters
            channels = block.filters
        side //= block.pool
    lengths = [side**2 * channels, *MODELS[model].dense, 1]
    return flops + sum(2 * before * after for before, after in itertools.pairwise(lengths))


def print_devices(bench: Bench, backends: list[str]) -> dict[str, Result]:
    """Print what each backend computes on; returns it for those that work."""
    print(f"`python benchmarks/training.py` with Python {platform.python_version()}, {os.cpu_count()} cores:\n")
    found = {}
    for backend in backends:
        about = bench.run(backend, describe)
        if "error" in about:
            print(f"- {backend} does not work: {reason(about)}", flush=True)
            continue
        found[backend] = about
        print(f"- {about['versions']}: {about['device']}; `--precision auto` is {about['auto']}", flush=True)
    return found


def print_throughput(bench: Bench, options: argparse.Namespace, devices: dict[str, Result]) -> list[Result]:
    """Print the table of images a second; returns its rows that were measured."""
    names = ["network", "pixels", "precision", "backend"]
    figures = ["images", "(a) `fit`", "(b) step", "(c) stored", "(c)/(a)", "later passes", "of (a)"]
    print_head([*names, *figures], left=len(names))
    rows = []
    for (model, size), (backend, about) in itertools.product(fitting(options), devices.items()):
        precisions = options.precisions or dict.fromkeys(["float32", about["auto"]])
        for precision in precisions:
            how = {"model": model, "size": size, "precision": precision}
            arguments = how | {"store": bench.store, "run": f"{model}-{size}-{precision}-{backend}"}
            result = bench.run(backend, measure_throughput, images=options.images, **arguments)
            print_throughput_row([model, size, precision, backend], result)
            if "error" not in result:
                rows.append(result | how | {"backend": backend, "gpu": about["gpu"]})
    print(
        f"""
Images a second in training, mini-batch {MINIBATCH}: (a) Keras's `fit` on arrays in memory, (b) a step of Inclinet on
the same arrays, (c) a run whose stored batches of so many images come from an S3 server on this machine, each for
the first time, SHA-256 checked, and whose snapshots go there; later passes find them in the local cache (– where a
batch takes so long that it makes no difference). (a) and (b): median of up to {REPETITIONS} repetitions; (c): up to
{FETCHED} steps together, after one to warm up."""
    )
    return rows


def fitting(options: argparse.Namespace) -> list[tuple[str, int]]:
    """Return the networks, each with every size that it takes."""
    wanted = itertools.product(options.networks, options.sizes)
    return [(model, size) for model, size in wanted if size >= smallest_size(model)]


def print_throughput_row(names: list[object], result: Result) -> None:
    """Print one row of images a second, or why there is none."""
    if "error" in result:
        print_row([*names, "–", reason(result), *["–"] * 5])
        return
    fit, stored, later = result["fit"], result["stored"], result["later"]
    measured = [rate(fit), rate(result["step"]), rate(stored), share(stored, fit)]
    print_row([*names, f"{result['images']:,}", *measured, rate(later), share(later, fit) if later else "–"])


def print_costs(bench: Bench, options: argparse.Namespace, backends: Iterable[str]) -> None:
    """Print the table of what a run costs beside its arithmetic, a column for each backend."""
    columns = {backend: costs(bench, options, backend) for backend in backends}
    print_head(["", *columns], left=1)
    for name in next(iter(columns.values())):
        print_row([name, *(column[name] for column in columns.values())])


def costs(bench: Bench, options: argparse.Namespace, backend: str) -> dict[str, str]:
    """Return fixed cost of a step, time to resume and memory of one backend, in words."""
    model, size = min(fitting(options), key=lambda fits: forward_flops(*fits))
    what = {"model": model, "size": size, "run": f"tiny-{backend}"}
    local = bench.run(backend, measure_tiny_steps, **what, store=str(bench.folder / "local"), steps=EARLY)
    remote = bench.run(backend, measure_tiny_steps, **what, store=bench.store, steps=LATE)
    resumed = bench.run(backend, measure_resume, **what, store=bench.store, started=time.time())
    of = f"{model}, {size} pixels"
    rows = {
        f"step of {TINY} images ({of}) beyond its arithmetic, {EARLY} steps, a folder": (cost_in_words, local),
        f"the same, {LATE} steps, batches and snapshots on the S3 server": (cost_in_words, remote),
        f"new process until it goes on from its last snapshot ({of}), from the S3 server": (resume_in_words, resumed),
        f"resident memory after step {EARLY} and {LATE} of that run": (growth_in_words, remote),
    }
    column = {name: reason(result) if "error" in result else words(result) for name, (words, result) in rows.items()}
    return column | (big_step(bench, options, backend) if options.big else {})


def cost_in_words(result: Result) -> str:
    """Return the fixed cost of a step."""
    return f"{1000 * result['median']:.0f} ms (median), {1000 * result['mean']:.0f} ms (mean)"


def resume_in_words(result: Result) -> str:
    """Return the time to resume, split."""
    total, keras = result["total"], result["keras"]
    return f"{total:.1f} s: {keras:.1f} s import of Keras, {total - keras:.1f} s the rest (after step {result['step']})"


def growth_in_words(result: Result) -> str:
    """Return the memory after an early and a late step."""
    return ", ".join(megabytes(value) for value in result["memory"].values())


def megabytes(value: int | None) -> str:
    """Return bytes as MB."""
    return "not known here" if value is None else f"{value / 1e6:,.0f} MB"


def big_step(bench: Bench, options: argparse.Namespace, backend: str) -> dict[str, str]:
    """Return the peak memory of a step over a stored batch of production size, in multiples of its images."""
    images, model, size = options.images or PRODUCTION, "model4", 128
    raw = images * size * size * 3
    title = f"peak memory of a step over {images:,} images ({model}, {size} pixels, {megabytes(raw)}), next one fetched"
    what = {"store": bench.store, "size": size, "images": images}
    result = bench.run(backend, store_big_batches, **what)
    if "error" not in result:
        result = bench.run(backend, measure_big_step, **what, model=model, run=f"big-{backend}")
    if "error" in result:
        return {title: reason(result)}

    def multiple(value: int | None) -> str:
        return megabytes(value) + ("" if value is None else f", {value / raw:.2f} ×")

    return {
        title: multiple(result["peak"]),
        "of that anonymous, mapped files left out": multiple(result["anonymous"]),
        "anonymous before that step": multiple(result["before"]),
        "duration of that step": f"{result['seconds']:.0f} s, {rate(result['rate'])} images/s",
    }


def print_share_of_peak(rows: list[Result], peak: float | None) -> None:
    """Print what part of a GPU's arithmetic model5 reaches."""
    wanted = {"model": "model5", "size": 128, "precision": "bfloat16", "gpu": True}
    for row in rows:
        if any(row[name] != value for name, value in wanted.items()):
            continue
        tera = 3 * forward_flops(row["model"], row["size"]) / 1e12  # backward is twice forward
        reached = {name: tera * row[column] for name, column in (("a", "fit"), ("b", "step"), ("c", "stored"))}
        of_peak = {name: f", {share(value, peak)} of the peak" if peak else "" for name, value in reached.items()}
        print(
            f"\nmodel5 at 128 pixels in bfloat16 on {row['backend']}, {1000 * tera:.1f} GFLOP an image in training: "
            + "; ".join(f"({name}) {value:.1f} TFLOP/s{of_peak[name]}" for name, value in reached.items()),
            flush=True,
        )


def installed_backends() -> list[str]:
    """Return the backends of Keras that are installed, of those that Inclinet is used with."""
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
        help="sides of the images (default: 64 128); networks that take none so small are left out",
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
        help=f"images of a batch (default: as many as take {SECONDS:.0f} s, {PRODUCTION:,} at most; that with --big)",
    )
    parser.add_argument(
        "--big",
        action="store_true",
        help=f"also the peak memory of a step over {PRODUCTION:,} images of 128 pixels (5 minutes on 2 cores)",
    )
    parser.add_argument(
        "--peak-tflops",
        type=float,
        metavar="TFLOPS",
        help="what the GPU's data sheet says of dense bfloat16, to print the share that model5 reaches",
    )
    options = parser.parse_args()
    if not fitting(options):
        parser.error("none of these networks takes images of these sizes")
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
    """Let the object store and the temporary files go at other signals too, unless these are ignored (nohup)."""
    for number in signals:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def bench(options: argparse.Namespace) -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory(prefix="inclinet-benchmark-") as name, object_store(Path(name) / "s3") as store:
        runner = Bench(Path(name), store)
        devices = print_devices(runner, options.backends)
        if not devices:
            sys.exit(1)
        rows = print_throughput(runner, options, devices)
        print_costs(runner, options, devices)
        print_share_of_peak(rows, options.peak_tflops)


if __name__ == "__main__":
    main()
