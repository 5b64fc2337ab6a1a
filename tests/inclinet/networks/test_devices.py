import os
import signal
import subprocess
import sys

import pytest

from inclinet.errors import InclinetError
from inclinet.networks import devices
from inclinet.networks.devices import choose_precision, claim_gpu, device_name, gpus, use_one_gpu
from tests.conftest import ROOT
from tests.users import USERS, environment_of, ordinary_user

TWO = ["GPU-a", "GPU-b"]

CLAIM = """
import sys, time
from pathlib import Path
from inclinet.networks.devices import claim_gpu
print(claim_gpu(["GPU-a", "GPU-b"], Path(sys.argv[1])), flush=True)
time.sleep(60)
"""


def claiming(folder):
    process = subprocess.Popen([sys.executable, "-c", CLAIM, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def test_each_process_keeps_its_own_gpu_until_it_is_killed(tmp_path):
    first, one = claiming(tmp_path)
    second, other = claiming(tmp_path)
    try:
        assert {one, other} == {"GPU-a", "GPU-b"}
        with pytest.raises(InclinetError, match="all 2 GPUs of this machine are used.*limit of the work pool to 2"):
            claim_gpu(TWO, tmp_path, wait=0)
        second.send_signal(signal.SIGKILL)
        second.wait()
        assert claim_gpu(TWO, tmp_path, wait=5) == other
    finally:
        first.kill()
        second.kill()


def test_users_share_the_locks_of_a_machine(homes):
    folder = homes[USERS[0]].parent / "locks"
    folder.mkdir()
    folder.chmod(0o1777)  # like /tmp
    claims = []
    try:
        for user in USERS:
            # A cautious umask, with which others could not read a new file.
            command = ordinary_user(user, "sh", "-c", 'umask 077; exec "$@"', "sh", sys.executable, "-c", CLAIM, folder)
            claims.append(
                subprocess.Popen(command, env=environment_of(homes[user]), cwd="/", stdout=subprocess.PIPE, text=True)
            )
            claims[-1].gpu = claims[-1].stdout.readline().strip()
        assert {claim.gpu for claim in claims} == set(TWO)
        claims[0].kill()
        claims[0].wait()
        assert claim_gpu(TWO, folder, wait=5) == claims[0].gpu
    finally:
        for claim in claims:
            claim.kill()


def test_a_run_sees_only_its_own_gpu(monkeypatch):
    monkeypatch.setattr(devices, "_claims", [])
    monkeypatch.setattr(devices, "gpus", lambda: TWO)
    monkeypatch.setattr(devices, "claim_gpu", lambda found, folder: found[1])
    for name in ("CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    use_one_gpu()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"


class FakeNvml:
    """NVML on a machine with these GPUs and one MIG instance; any other UUID is an error, as NVML has it."""

    class NVMLError(Exception):
        pass

    present = ("GPU-11aa", "GPU-11bb", "GPU-22cc")
    instances = ("MIG-33dd",)

    def nvmlInit(self):  # noqa: N802
        pass

    def nvmlDeviceGetCount(self):  # noqa: N802
        return len(self.present)

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return self.present[index]

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        if uuid not in self.present + self.instances:
            raise self.NVMLError(uuid)
        return uuid

    def nvmlDeviceGetUUID(self, handle):  # noqa: N802
        return handle


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["GPU-11aa", "GPU-11bb", "GPU-22cc"]),
        ("", []),
        ("-1", []),
        ("1", ["GPU-11bb"]),
        ("2, 0", ["GPU-22cc", "GPU-11aa"]),
        ("0,9,1", ["GPU-11aa"]),  # CUDA stops at the first entry that names no GPU
        ("GPU-22cc", ["GPU-22cc"]),
        ("GPU-22", ["GPU-22cc"]),  # the unique beginning of a UUID is enough for CUDA
        ("GPU-11", []),
        ("GPU-22cc,GPU-99", ["GPU-22cc"]),
        ("MIG-33dd", ["MIG-33dd"]),
        ("0,MIG-99", ["GPU-11aa"]),
        ("nonsense", []),
    ],
)
def test_gpus_follow_the_environment_as_cuda_does(monkeypatch, visible, expected):
    monkeypatch.setattr(devices, "pynvml", FakeNvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == expected


def test_no_driver_means_no_gpu(monkeypatch):
    class NoDriver(FakeNvml):
        def nvmlInit(self):  # noqa: N802
            raise self.NVMLError("library not found")

    monkeypatch.setattr(devices, "pynvml", NoDriver())
    assert gpus() == []


def on_these(monkeypatch, capabilities, flags="avx2", seen=None):
    """Let the backend see `seen` GPUs (by default all that it describes) with these compute capabilities."""
    described = [devices._BackendGpu("NVIDIA Test", capability) for capability in capabilities]
    seen = len(described) if seen is None else seen
    listed = [f"gpu:{i}" for i in range(seen)] or ["cpu:0"]
    monkeypatch.setattr(devices, "_devices", lambda: listed)
    monkeypatch.setattr(devices, "_backend_gpus", lambda: described)
    monkeypatch.setattr(devices, "_cpuinfo", lambda name: flags)


@pytest.fixture(autouse=True)
def without_a_limit(monkeypatch):
    """oneDNN may use every instruction, however these tests were started."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("AVX2", "float32"), ("avx512_core", "float32"), ("AVX512_CORE_BF16", "bfloat16"), ("DEFAULT", "bfloat16")],
)
def test_precision_respects_the_limit_of_onednn(monkeypatch, limit, expected):
    on_these(monkeypatch, [], "avx512_bf16")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert choose_precision("auto") == expected


@pytest.mark.parametrize(
    ("capabilities", "flags", "expected"),
    [
        ([(9, 0)], "avx2", "bfloat16"),
        ([(8, 0)], "avx2", "bfloat16"),
        ([(7, 5)], "avx512_bf16", "float32"),  # a T4 has no bfloat16, whatever the CPU has
        ([(9, 0), (7, 5)], "avx2", "float32"),
        ([(9, 0), None], "avx2", "float32"),  # one of another vendor
        ([], "fpu avx2 fma", "float32"),
        ([], "fpu avx512f avx512_bf16", "bfloat16"),
        ([], "fpu amx_bf16 amx_tile", "bfloat16"),
    ],
)
def test_precision_follows_the_hardware(monkeypatch, capabilities, flags, expected):
    on_these(monkeypatch, capabilities, flags)
    assert choose_precision("auto") == expected
    assert choose_precision("float32") == "float32"
    assert choose_precision("bfloat16") == "bfloat16"


@pytest.mark.parametrize("described", [[], [(9, 0)]])
def test_a_gpu_that_nobody_describes_computes_in_float32(monkeypatch, described):
    on_these(monkeypatch, described, seen=2)
    monkeypatch.setattr(devices, "gpus", lambda: [])  # as NVML answers when it cannot list them
    assert choose_precision("auto") == "float32"


@pytest.mark.parametrize(
    ("capabilities", "seen", "expected"),
    [([(9, 0)], 1, "NVIDIA Test"), ([(9, 0)] * 2, 2, "2 × NVIDIA Test"), ([], 1, "GPU")],
)
def test_gpus_have_names(monkeypatch, capabilities, seen, expected):
    on_these(monkeypatch, capabilities, seen=seen)
    assert device_name() == expected


def test_the_device_of_this_machine_has_a_name():
    assert device_name().startswith("CPU ") or gpus()


@pytest.mark.parametrize(("text", "expected"), [("9.0", (9, 0)), ("12.0", (12, 0)), ("gfx90a", None), ("", None)])
def test_jax_writes_the_compute_capability_as_text(text, expected):
    class Device:
        compute_capability = text

    assert devices._parse_capability(Device()) == expected
    assert devices._parse_capability(object()) is None
