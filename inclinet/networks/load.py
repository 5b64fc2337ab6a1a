"""Load trained networks: exported ones (`.onnx`) by onnxruntime, others (`.keras`) by Keras."""

import json
import zlib
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np

from inclinet.errors import InclinetError
from inclinet.networks.backend import is_installed
from inclinet.networks.filenames import EXPORTED
from inclinet.networks.runtime import ExportedNetwork

if TYPE_CHECKING:
    import keras

    from inclinet.networks.infer import Network

__all__ = ["as_network", "load_keras", "load_network"]

# What Keras, h5py and zipfile raise on damaged files.
_UNREADABLE = (ValueError, OSError, KeyError, TypeError, RuntimeError, EOFError, BadZipFile, zlib.error)


def load_network(path: Path) -> "Network":
    """Load a trained network to predict with.

    Raises
    ------
    InclinetError
        When the file is missing or damaged, holds no network that can be loaded without running code from it, or needs
        Keras, which is not installed.
    """
    return ExportedNetwork(path) if path.suffix == EXPORTED else as_network(load_keras(path))


def load_keras(path: Path) -> "keras.Model":
    """Load a `.keras` file; raises as `load_network` does."""
    if not is_installed("keras"):
        raise InclinetError(f"{path}: needs Keras, because it is not exported to ONNX: pip install 'inclinet[train]'")
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except _UNREADABLE as error:
        saved, here = _keras_version(path), keras.__version__
        if saved and saved != here:
            raise InclinetError(
                f"{path}: Keras {here}, which is installed, does not read this network, which Keras {saved} saved "
                f"({_reason(error)}); pip install keras=={saved}"
            ) from error
        raise InclinetError(f"{path}: not a trained network ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """Return the line of an error that says why: Keras puts what went wrong inside at the end, after the whole file."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    last = lines[-1].removeprefix("Exception encountered: ")
    return last if last != lines[-1] else lines[0]


def _keras_version(path: Path) -> str:
    """Return the version of Keras that saved a file, empty if the file is damaged or does not say."""
    try:
        with ZipFile(path) as archive:
            if archive.testzip():
                return ""
            return str(json.loads(archive.read("metadata.json"))["keras_version"])
    except _UNREADABLE:
        return ""


def as_network(model: "keras.Model") -> "Network":
    """Return a Keras model as a network to predict with."""

    def answer(images: np.ndarray) -> np.ndarray:
        # `predict_on_batch` is compiled: more than twice as fast as calling the model.
        return np.asarray(model.predict_on_batch(images))[:, 0]

    return answer
