"""The device that a process trains on: a GPU of its own or the CPU, and the precision that suits it."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pynvml

from inclinet.errors import InclinetError

__all__ = [
    "choose_precision",
    "claim_gpu",
    "device_name",
    "gpus",
    "on_gpu",
    "onednn_may_use_bfloat16",
    "runs_at_once",
    "share_among_gpus",
    "use_one_gpu",
]

_NATIVE_BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # flags of /proc/cpuinfo
_AMPERE = (8, 0)  # NVIDIA GPUs multiply bfloat16 natively from this compute capability on
_LOCKS = "/tmp"  # noqa: S108  # the same for all users, whatever folder of temporary files each of them has
_WAIT = 60.0  # seconds that an earlier run may take to release its GPU
_claims: list[int] = []  # open files: each lock lasts until its file is closed


def gpus() -> list[str]:
    """Return the UUIDs of the NVIDIA GPUs that this process may use; none without their driver.

    As CUDA does, it follows `CUDA_VISIBLE_DEVICES` (indices, UUIDs, unique beginnings of UUIDs, or UUIDs of MIG
    instances) up to the first entry that names no GPU.
    """
    found: list[str] = []
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        present = [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles]
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        for uuid in present if visible is None else _visible(visible, present):
            found.append(uuid)  # one by one: those before an error count
    return found


def runs_at_once() -> int:
    """Return how many runs of the pool `gpu` this machine executes at a time: one for each GPU, or one."""
    return max(1, len(gpus()))


def _visible(names: str, present: Sequence[str]) -> Iterator[str]:
    """Yield the UUIDs that `CUDA_VISIBLE_DEVICES` names, until it names none; `present` are those of all GPUs."""
    for name in (entry.strip() for entry in names.split(",")):
        if name.isdigit():
            if int(name) >= len(present):
                return
            yield present[int(name)]
        elif name.startswith("MIG-"):
            yield str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByUUID(name)))
        else:
            matching = [uuid for uuid in present if name.startswith("GPU-") and uuid.startswith(name)]
            if len(matching) != 1:
                return
            yield matching[0]


def claim_gpu(uuids: Sequence[str], folder: Path, wait: float = _WAIT) -> str:
    """Claim a GPU that no other process on this machine has claimed; returns its UUID.

    A claim is a lock on a file in `folder`, which the system releases when the process ends, however it ends. The file
    may belong to another user.

    Parameters
    ----------
    uuids : sequence of str
        The GPUs to choose from.
    folder : Path
        Shared by all processes of the machine.
    wait : float
        How long to wait for a GPU (seconds).

    Raises
    ------
    InclinetError
        When all are still claimed after `wait` seconds.
    """
    deadline = time.monotonic() + wait
    while True:
        for uuid in uuids:
            handle = _open_lock(folder / f"inclinet-{uuid}.lock")
            with suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _claims.append(handle)
                return uuid
            os.close(handle)
        if time.monotonic() > deadline:
            raise InclinetError(
                f"all {len(uuids)} GPUs of this machine are used by other runs: lower the concurrency limit of the "
                f"work pool to {len(uuids)}"
            )
        time.sleep(1)


def _open_lock(path: Path) -> int:
    """Open a file for a lock, for reading only, because it may belong to another user; create it if necessary.

    Not in one call: in a folder where all users may write, Linux lets none open another's file with O_CREAT.
    """
    with suppress(FileExistsError):
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        os.fchmod(handle, 0o644)  # whatever the umask
        return handle
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def use_one_gpu() -> None:
    """Restrict this process to one GPU that no other run uses, if there is a GPU. Call it before importing Keras.

    Runs on one machine share the folder `INCLINET_LOCKS`, by default `/tmp`, to tell each other which GPUs they use.
    GPU memory is allocated as needed, not all at once.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    folder = Path(os.environ.get("INCLINET_LOCKS", _LOCKS))
    if not _claims and (found := gpus()):
        os.environ["CUDA_VISIBLE_DEVICES"] = claim_gpu(found, folder)


def _devices() -> list[str]:
    import keras

    return keras.distribution.list_devices()


def on_gpu() -> bool:
    """Return whether Keras's backend computes on a GPU."""
    return _devices()[0].startswith("gpu")


def share_among_gpus() -> int:
    """Share every mini-batch among the GPUs of this process, where the backend can; returns the number of devices."""
    import keras

    if keras.backend.backend() != "jax":
        return 1
    devices = _devices()
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return len(devices)


@dataclass(frozen=True)
class _BackendGpu:
    """A GPU as Keras's backend describes it: its name, and its compute capability if it is known."""

    name: str
    capability: tuple[int, ...] | None


def _backend_gpus() -> list[_BackendGpu]:
    """Return the GPUs that Keras's backend uses; none for a backend that does not describe them.

    The driver's own list may differ: it can lack GPUs of another vendor and number GPUs in another order.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        config = import_module("tensorflow").config
        details = map(config.experimental.get_device_details, config.get_visible_devices("GPU"))
        return [_BackendGpu(one.get("device_name", "GPU"), one.get("compute_capability")) for one in details]
    if keras.backend.backend() == "jax":
        import jax

        devices = (device for device in jax.local_devices() if device.platform == "gpu")
        return [_BackendGpu(one.device_kind, _parse_capability(one)) for one in devices]
    return []


def _parse_capability(device: object) -> tuple[int, ...] | None:
    """Return the compute capability of a JAX device, written as `9.0`; GPUs of other vendors have none such."""
    parts = str(getattr(device, "compute_capability", "")).split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else None


def _cpuinfo(name: str) -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""


def device_name() -> str:
    """Return the name of the device that Keras's backend uses, such as `NVIDIA H200` or `CPU AMD EPYC, 2 cores`."""
    if on_gpu():
        count = len(_devices())
        name = " and ".join(sorted({gpu.name for gpu in _backend_gpus()})) or "GPU"
        return name if count == 1 else f"{count} × {name}"
    return f"CPU {_cpuinfo('model name') or platform.machine()}, {os.cpu_count()} cores"


def onednn_may_use_bfloat16() -> bool:
    """Return whether `ONEDNN_MAX_CPU_ISA` lets TensorFlow use the instructions for bfloat16, if the CPU has them.

    Where it does not, TensorFlow fails at the first convolution in bfloat16.
    """
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return limit in ("", "ALL", "DEFAULT") or any(name in limit for name in ("BF16", "FP16", "AMX", "AVX10"))


def choose_precision(wanted: str) -> str:
    """Return the precision to train in, `float32` or `bfloat16`.

    `auto` means bfloat16 where every device in use is known to multiply it natively: NVIDIA GPUs from Ampere on
    (compute capability 8.0), and CPUs with AVX512-BF16 or AMX.
    """
    if wanted != "auto":
        return wanted
    if on_gpu():
        used = _backend_gpus()
        known = len(used) == len(_devices())
        native = known and all(gpu.capability is not None and gpu.capability >= _AMPERE for gpu in used)
    else:
        native = onednn_may_use_bfloat16() and bool(_NATIVE_BFLOAT16 & set(_cpuinfo("flags").split()))
    return "bfloat16" if native else "float32"
