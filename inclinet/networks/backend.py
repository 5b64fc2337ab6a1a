"""The library that computes for Keras: TensorFlow where it is installed, else JAX."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType

__all__ = ["is_installed", "prepare_backend"]

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_STARTUP_LINE = (
    r"WARNING: All log messages before absl::InitializeLog\(\)"
    r"|[IW]\d{4} \d\d:\d\d:"  # levels info and warning, as absl writes them
    r"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "  # and as TensorFlow does
    r"|To enable the following instructions:"  # the second line of a remark on the processor
)
_FILTER = """
import re, sys
startup_line = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not startup_line.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.flush()
"""


def is_installed(module: str) -> bool:
    """Return whether a top-level module can be imported, without importing it."""
    with suppress(ImportError):
        return find_spec(module) is not None
    return False


def prepare_backend() -> None:
    """Choose Keras's backend, unless `KERAS_BACKEND` does, and let TensorFlow start without its start-up lines.

    Must be called before Keras is imported. Does nothing about the lines if `TF_CPP_MIN_LOG_LEVEL` asks for them (0
    or 1).
    """
    if "KERAS_BACKEND" not in os.environ and not is_installed("tensorflow"):
        os.environ["KERAS_BACKEND"] = "jax"
    if os.environ.setdefault(_LOG_LEVEL, "2") in ("0", "1") or PathFinder not in sys.meta_path:
        return
    if not any(isinstance(finder, _TensorFlowFinder) for finder in sys.meta_path):
        sys.meta_path.insert(sys.meta_path.index(PathFinder), _TensorFlowFinder())


class _TensorFlowFinder:
    """Finds TensorFlow as `PathFinder` does, and has it imported without its start-up lines."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of TensorFlow, None for any other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == "tensorflow" else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _QuietLoader(spec.loader.name, spec.loader.path)
        return spec


class _QuietLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Import the module."""
        with _without_startup_lines():
            super().exec_module(module)


@contextmanager
def _without_startup_lines() -> Iterator[None]:
    """Drop start-up lines from standard error, and pass on all others.

    TensorFlow writes some before it reads TF_CPP_MIN_LOG_LEVEL. A process of its own does the filtering, so that the
    last words of a crash get through.
    """
    import subprocess  # not at the top: `import inclinet` takes no time

    command = [sys.executable, "-I", "-S", "-c", _FILTER, _STARTUP_LINE]
    try:
        filtering = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
    except OSError:  # the lines are no reason to fail
        yield
        return
    assert filtering.stdin is not None
    with filtering.stdin as lines:
        saved = os.dup(2)
        os.dup2(lines.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
    # Another process that was started meanwhile may hold on to the pipe: no reason to wait for it.
    with suppress(subprocess.TimeoutExpired):
        filtering.wait(timeout=1)
