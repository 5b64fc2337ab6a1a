"""Exported networks (ONNX), run by onnxruntime: neither Keras nor what computes for it is imported."""

import os
from pathlib import Path

import numpy as np

from inclinet.errors import InclinetError

__all__ = ["INCLINATION", "PIXELS", "ExportedNetwork"]

PIXELS = "pixels"
"""Input of an exported network: float32 (N, size, size, 3), values 0–255."""

INCLINATION = "inclination"
"""Output of an exported network: float32 (N, 1), in units of `inclinet.data.inclination.to_scaled`."""

_PROVIDERS = ["CUDAExecutionProvider", "CPUExecutionProvider"]
_ERROR = 3  # severity; warnings speak of devices that are not there


class ExportedNetwork:
    """An exported network; call it with images, as `inclinet.networks.infer.Network` describes.

    It runs on a GPU where onnxruntime finds one, else on the processors that this process may use.

    Parameters
    ----------
    path : Path
        Written by `inclinet.networks.export.export_network`.

    Raises
    ------
    InclinetError
        When the file is missing or damaged, or not such a network.
    """

    def __init__(self, path: Path) -> None:
        # Here: it takes a tenth of a second, and reading tables needs none of it.
        import onnxruntime

        onnxruntime.set_default_logger_severity(_ERROR)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _processors()
        # Threads that wait by spinning take the processors from those that read images.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = [name for name in _PROVIDERS if name in onnxruntime.get_available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers)
            names = {output.name for output in self._session.get_outputs()}
        except FileNotFoundError:
            raise InclinetError(f"{path}: no such network") from None
        except Exception as error:  # onnxruntime has a class for each of its error codes
            raise InclinetError(f"{path}: not an exported network ({_first_line(error)})") from error
        if INCLINATION not in names:
            raise InclinetError(f"{path}: not an exported network (it has no output {INCLINATION})")

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the scaled outputs, float32 (N,), for images of values 0–255, (N, size, size, 3)."""
        [values] = self._session.run([INCLINATION], {PIXELS: np.ascontiguousarray(images, np.float32)})
        return np.asarray(values)[:, 0]


def _processors() -> int:
    """Return how many processors this process may use: in containers, fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
