"""Measurements in processes of their own.

Each needs one, because Keras chooses its backend when it is imported, and because peak memory is that of a process.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from measurements import Result


class Runner:
    """Runs measurements, each in a new process.

    Parameters
    ----------
    folder : Path
        Folder of all temporary files, which the caller removes.
    store : str
        Address of the object store.
    """

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.store = folder, store

    def run(self, backend: str, job: Callable[..., Result], **arguments: object) -> Result:
        """Run a job of `measurements.py`; returns its result, or only why there is none (`error`)."""
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
        result = _result_of(done)
        if "error" in result:
            print(done.stderr, file=sys.stderr, flush=True)
        return result


def _result_of(done: subprocess.CompletedProcess) -> Result:
    """Return the line of JSON that a process printed, or why there is none."""
    with suppress(IndexError, ValueError):
        return json.loads(done.stdout.splitlines()[-1])
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return {"error": f"ended by {name}" + (", perhaps out of memory" if name == "SIGKILL" else "")}
    return {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
