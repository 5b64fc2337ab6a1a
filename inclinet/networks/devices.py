"""What a process trains on: its device, a GPU of its own, and the precision that the hardware multiplies natively."""

import fcntl
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pynvml

from inclinet.errors import InclinetError

__all__ = ["Gpu", "choose_precision", "claim_gpu", "device_name", "gpus", "on_gpu", "use_one_gpu"]

_NATIVE_BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # flags of /proc/cpuinfo
_AMPERE = (8, 0)  # compute capability from which on NVIDIA's GPUs multiply bfloat16
_PATIENCE = 60.0  # seconds that a run before this one may take to let go of its GPU
_claims: list[int] = []  # open files: a lock lives as long as its file


@dataclass(frozen=True)
class Gpu:
    """One GPU: its UUID, its name and its compute capability."""

    uuid: str
    name: str
    capability: tuple[int, int]


def _gpu(handle: object) -> Gpu:
    major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Gpu(str(pynvml.nvmlDeviceGetUUID(handle)), str(pynvml.nvmlDeviceGetName(handle)), (major, minor))


def gpus() -> list[Gpu]:
    """Return the NVIDIA GPUs that this process may use (`CUDA_VISIBLE_DEVICES`); none without their driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        pynvml.nvmlInit()
        if visible is None:
            names: Sequence[str] = [str(i) for i in range(pynvml.nvmlDeviceGetCount())]
        else:
            names = [name.strip() for name in visible.split(",") if name.strip()]
        by_index, by_uuid = pynvml.nvmlDeviceGetHandleByIndex, pynvml.nvmlDeviceGetHandleByUUID
        return [_gpu(by_index(int(name)) if name.isdigit() else by_uuid(name)) for name in names]
    except pynvml.NVMLError:
        return []


def claim_gpu(found: Sequence[Gpu], folder: Path, patience: float = _PATIENCE) -> Gpu:
    """Return a GPU that no other process on this machine has claimed; it stays claimed until this one ends.

    A claim is a lock on a file of `folder`, which the system releases however the process ends.

    Raises
    ------
    InclinetError
        When all are taken for longer than `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        for gpu in found:
            handle = os.open(folder / f"inclinet-{gpu.uuid}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _claims.append(handle)
                return gpu
            os.close(handle)
        if time.monotonic() > deadline:
            raise InclinetError(
                f"all {len(found)} GPUs of this machine are taken by other runs: lower the concurrency limit of the "
                f"work pool to {len(found)}"
            )
        time.sleep(1)


def use_one_gpu() -> None:
    """Let this process see one GPU that it has for itself, if there is any; to be called before Keras is imported.

    Runs on one machine settle it among them in the folder `INCLINET_LOCKS`, by default the one of temporary files.
    The GPU's memory is taken as it is needed, not all at once.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    folder = Path(os.environ.get("INCLINET_LOCKS", tempfile.gettempdir()))
    if not _claims and (found := gpus()):
        os.environ["CUDA_VISIBLE_DEVICES"] = claim_gpu(found, folder).uuid


def _devices() -> list[str]:
    import keras

    return keras.distribution.list_devices()


def on_gpu() -> bool:
    """Return whether Keras's backend computes on a GPU."""
    return _devices()[0].startswith("gpu")


def _cpuinfo(name: str) -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def device_name() -> str:
    """Return the name of what Keras's backend computes on, such as `NVIDIA H200` or `CPU AMD EPYC, 2 cores`."""
    if on_gpu():
        devices = _devices()
        name = next((gpu.name for gpu in gpus()), "GPU")
        return name if len(devices) == 1 else f"{len(devices)} × {name}"
    return f"CPU {_cpuinfo('model name') or platform.machine()}, {os.cpu_count()} cores"


def choose_precision(wanted: str) -> str:
    """Return `float32` or `bfloat16`; for `auto` the latter where the hardware multiplies it natively.

    Those are NVIDIA's GPUs from Ampere on, and CPUs with AVX512-BF16 or AMX.
    """
    if wanted != "auto":
        return wanted
    if on_gpu():
        native = all(gpu.capability >= _AMPERE for gpu in gpus())
    else:
        native = bool(_NATIVE_BFLOAT16 & set(_cpuinfo("flags").split()))
    return "bfloat16" if native else "float32"
