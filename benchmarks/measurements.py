"""One measurement of training: `runner.py` starts this script in a new process for each.

Its argument is JSON: the name of a `job`, a `scratch` folder and the job's `arguments`. It prints the result as one
line of JSON.
"""

import json
import resource
import statistics
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inclinet.data.filenames import batch_file
from inclinet.data.inclination import to_scaled
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.devices import choose_precision, device_name, on_gpu, use_one_gpu
from inclinet.settings import Train
from inclinet.storage.addresses import open_store
from inclinet.storage.artifacts import Artifacts, Reference

if TYPE_CHECKING:
    from inclinet.training.run import TrainingRun

MINIBATCH = 64
PRODUCTION = 18_000  # images in a stored batch in production; measurements use no more
SECONDS = 5.0  # approximate length of a measurement
REPETITIONS = 4  # at most; fewer if they take more than twice those seconds
FETCHED = 3  # at most: steps timed while stored batches come from the server
TINY = 18  # images in a stored batch for the fixed cost of a step: one for each bin and colour class
EARLY, LATE = 20, 200  # steps after which memory is compared
PASSES = 1000  # more than are run, so that no measured step is the last

Result = dict[str, Any]


def noise(images: int, size: int, seed: int = 0) -> Batch:
    """Return a batch of random images; each seed gives different content, and so a different SHA-256."""
    rng = np.random.default_rng(seed)
    pixels = np.frombuffer(rng.bytes(images * size * size * 3), np.uint8).reshape(images, size, size, 3)
    labels = rng.integers(45, 91, images).astype(np.int32)
    return Batch(pixels, labels, np.arange(images, dtype=np.int32), np.full(images, b"c"))


def stored_batches(artifacts: Artifacts, size: int, images: int, count: int) -> list[Reference]:
    """Return stored batches in the object store, reusing those that another process has made."""

    def make(number: int) -> Reference:
        def work(folder: Path) -> dict[str, int]:
            noise(images, size, number).write(folder / batch_file(size, number))
            return {"images": images}

        settings = {"size": size, "images": images, "number": number}
        return artifacts.make("benchmark", "batch", inputs={}, settings=settings, code="batches", work=work)

    return [make(number) for number in range(1, count + 1)]


def training_on(store: str, run: str, model: str, size: int, images: int, nbatch: int, precision: str) -> "TrainingRun":
    """Return a run over stored batches of `store`, which also takes its snapshots, with no local copy at first."""
    from inclinet.training.plan import Plan
    from inclinet.training.record import Recorder
    from inclinet.training.run import TrainingRun

    artifacts = Artifacts(open_store(store), Path(tempfile.gettempdir()) / "cache")
    references = stored_batches(artifacts, size, images, nbatch)

    def fetch(number: int) -> Batch:
        with tempfile.TemporaryDirectory() as folder:
            [path] = artifacts.fetch(references[number - 1], Path(folder))
            return Batch.read(path)

    settings = Train(precision=precision, N_batch_iter=PASSES, training_batch_size=MINIBATCH)
    plan, folder = Plan(model, 0, size, nbatch, settings), f"runs/{run}"
    return TrainingRun(plan, fetch, {}, artifacts.store, folder, Recorder(plan, artifacts.store, folder))


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def affordable_images(fit: Callable[[Batch], float], size: int) -> int:
    """Return how many images `fit` works through in `SECONDS`: whole mini-batches, at most a production batch."""
    images = MINIBATCH
    fit(noise(images, size))
    while (seconds := fit(noise(images, size))) < SECONDS / 5 and images < PRODUCTION:
        images = min(4 * images, PRODUCTION)
    whole = int(images * SECONDS / seconds) // MINIBATCH * MINIBATCH
    return min(max(whole, MINIBATCH), PRODUCTION)


def measure_throughput(store: str, run: str, model: str, size: int, precision: str, images: int | None) -> Result:
    """Measure the images per second of `fit` and of a step on a batch in memory, and of a run over stored batches."""
    from inclinet.training.step import NetworkStepper

    stepper = NetworkStepper(model, size, PASSES, Train(training_batch_size=MINIBATCH), precision)

    def fit(batch: Batch) -> float:
        labels = to_scaled(batch.labels)[:, None]
        keras_fit = stepper.network.fit
        return seconds_of(lambda: keras_fit(batch.images, labels, batch_size=MINIBATCH, epochs=1, verbose=0))

    images = images or affordable_images(fit, size)
    batch, warming = noise(images, size), noise(min(images, MINIBATCH + images % MINIBATCH), size)
    fit(warming)
    stepper.advance(warming)
    pairs: list[tuple[float, float]] = []

    def measure(times: int) -> None:
        pairs.extend((fit(batch), seconds_of(lambda: stepper.advance(batch))) for _ in range(times))

    measure(1)
    repetitions = min(max(int(2 * SECONDS / pairs[0][0]), 1), REPETITIONS)
    measure(repetitions - repetitions // 2 - 1)
    result = measure_stored(store, run, model, size, precision, images, repetitions)
    # Half of them before and half after, so that a machine that becomes slower or busier affects all three.
    measure(repetitions // 2)
    fits, steps = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    return result | {"images": images, "fit": images / fits, "step": images / steps, "repetitions": repetitions}


def measure_stored(
    store: str, run: str, model: str, size: int, precision: str, images: int, repetitions: int
) -> Result:
    """Measure a run while its batches come from the server, and later passes if batches are short."""
    timed = min(repetitions, FETCHED)
    nbatch = 1 + timed + 1  # one for warming up, and one that is fetched during the last timed step
    with training_on(store, run, model, size, images, nbatch, precision) as training:

        def rate(first: int, last: int) -> float:
            return (last - first + 1) * images / seconds_of(lambda: reach(training, first, last))

        reach(training, 1, 1)
        result = {"stored": rate(2, 1 + timed), "later": None}
        if repetitions > 2:  # otherwise training on a batch takes far longer than fetching it
            reach(training, nbatch, nbatch)
            result["later"] = rate(nbatch + 1, nbatch + timed)
    return result


def reach(training: "TrainingRun", first: int, last: int) -> None:
    """Run the steps from `first` to `last`, as the flow does."""
    for step in range(first, last + 1):
        training.reach(step)


def measure_tiny_steps(store: str, run: str, model: str, size: int, steps: int) -> Result:
    """Measure the time that tiny steps take beyond their arithmetic, and the memory after some of them."""
    beyond, memory = [], {}
    with training_on(store, run, model, size, TINY, 5, "auto") as training:
        for step in range(1, steps + 1):
            seconds = seconds_of(partial(training.reach, step))
            beyond.append(seconds - TINY / training.images_per_second)
            if step in (EARLY, LATE):
                memory[str(step)] = memory_of_process("VmRSS")
    return {"median": statistics.median(beyond[1:]), "mean": statistics.mean(beyond[1:]), "memory": memory}


def measure_resume(store: str, run: str, model: str, size: int, started: float) -> Result:
    """Measure the time from the start of this process, at `started` (s since 1970), until a run has resumed."""
    start = time.perf_counter()
    import keras  # noqa: F401

    imported = time.perf_counter() - start
    with training_on(store, run, model, size, TINY, 5, "auto") as training:
        return {"total": time.time() - started, "keras": imported, "step": training.step}


def measure_big_step(store: str, run: str, model: str, size: int, images: int) -> Result:
    """Measure the peak memory of a step over a large stored batch, while the next batch is fetched."""
    with PeakAnonymous() as anonymous, training_on(store, run, model, size, images, 2, "auto") as training:
        before = memory_of_process("RssAnon")
        seconds = seconds_of(lambda: training.reach(1))
        rate = training.images_per_second
    # In kilobytes; on macOS, in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak": peak, "anonymous": anonymous.peak, "before": before, "seconds": seconds, "rate": rate}


def store_big_batches(store: str, size: int, images: int) -> Result:
    """Make large stored batches, in another process than the training: their memory does not count."""
    stored_batches(Artifacts(open_store(store), Path(tempfile.gettempdir()) / "cache"), size, images, 2)
    return {}


def describe() -> Result:
    """Return the versions of backend and Keras, and the device and precision that they use."""
    import keras

    backend = keras.backend.backend()
    versions = f"{backend} {sys.modules[backend].__version__}, Keras {keras.__version__}"
    return {"versions": versions, "device": device_name(), "gpu": on_gpu(), "auto": choose_precision("auto")}


def memory_of_process(name: str) -> int | None:
    """Return a field of /proc/self/status in bytes, None where the system has no such file."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return 1024 * int(line.split()[1])
    return None


class PeakAnonymous:
    """The most anonymous memory (bytes) of this process within a block, sampled; memory-mapped files do not count."""

    def __init__(self) -> None:
        self.peak: int | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            now = memory_of_process("RssAnon")
            self.peak = now if self.peak is None or now is None else max(self.peak, now)

    def __enter__(self) -> "PeakAnonymous":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()


JOBS: dict[str, Callable[..., Result]] = {
    job.__name__: job
    for job in (
        describe,
        measure_throughput,
        measure_tiny_steps,
        measure_resume,
        measure_big_step,
        store_big_batches,
    )
}


def child(job: str, scratch: str, arguments: Result) -> None:
    """Do one measurement and print its result, or what went wrong, as one line of JSON."""
    try:
        use_one_gpu()
        # Not before: the claim on a GPU is a file in the temporary folder that all processes share.
        tempfile.tempdir = scratch
        result = JOBS[job](**arguments)
    except InclinetError as error:
        result = {"error": str(error)}
    except Exception as error:
        traceback.print_exc()
        result = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    child(**json.loads(sys.argv[1]))
