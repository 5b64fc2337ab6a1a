import os
import signal
import subprocess
import sys

import pytest

from inclinet.errors import InclinetError
from inclinet.networks import devices
from inclinet.networks.devices import Gpu, choose_precision, claim_gpu, device_name, gpus, use_one_gpu
from tests.conftest import ROOT

TWO = [Gpu("GPU-a", "NVIDIA H200", (9, 0)), Gpu("GPU-b", "NVIDIA H200", (9, 0))]

CLAIM = """
import sys, time
from pathlib import Path
from inclinet.networks.devices import Gpu, claim_gpu
print(claim_gpu([Gpu("GPU-a", "", (9, 0)), Gpu("GPU-b", "", (9, 0))], Path(sys.argv[1])).uuid, flush=True)
time.sleep(60)
"""


def claiming(folder):
    process = subprocess.Popen([sys.executable, "-c", CLAIM, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return process, process.stdout.readline().strip()


def test_every_process_has_a_gpu_of_its_own_until_it_is_killed(tmp_path):
    first, one = claiming(tmp_path)
    second, other = claiming(tmp_path)
    try:
        assert {one, other} == {"GPU-a", "GPU-b"}
        with pytest.raises(InclinetError, match="all 2 GPUs of this machine are taken.*limit of the work pool to 2"):
            claim_gpu(TWO, tmp_path, patience=0)
        second.send_signal(signal.SIGKILL)
        second.wait()
        assert claim_gpu(TWO, tmp_path, patience=5).uuid == other
    finally:
        first.kill()
        second.kill()


def test_a_run_sees_its_gpu_alone(monkeypatch):
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


def test_gpus_hidden_from_the_process_are_not_there(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []


@pytest.mark.parametrize(
    ("on_gpu", "capability", "flags", "expected"),
    [
        (True, (9, 0), "avx2", "bfloat16"),
        (True, (8, 0), "avx2", "bfloat16"),
        (True, (7, 5), "avx512_bf16", "float32"),  # a T4 has no bfloat16, whatever the CPU has
        (False, None, "fpu avx2 fma", "float32"),
        (False, None, "fpu avx512f avx512_bf16", "bfloat16"),
        (False, None, "fpu amx_bf16 amx_tile", "bfloat16"),
    ],
)
def test_precision_follows_the_hardware(monkeypatch, on_gpu, capability, flags, expected):
    monkeypatch.setattr(devices, "on_gpu", lambda: on_gpu)
    monkeypatch.setattr(devices, "gpus", lambda: [Gpu("GPU-a", "", capability)] if on_gpu else [])
    monkeypatch.setattr(devices, "_cpuinfo", lambda name: flags)
    assert choose_precision("auto") == expected
    assert choose_precision("float32") == "float32"
    assert choose_precision("bfloat16") == "bfloat16"


def test_the_device_has_a_name():
    assert device_name().startswith("CPU ") or gpus()
