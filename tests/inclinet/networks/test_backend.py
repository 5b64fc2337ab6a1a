"""TensorFlow's start-up lines are dropped, and nothing else."""

import os
import signal
import subprocess
import sys

from inclinet.networks.backend import _without_startup_lines, is_installed
from tests.conftest import ROOT

LINES = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795574194.507932    1549 port.cc:153] oneDNN custom operations are on. You may see slightly different
2025-01-02 03:04:05.678901: I tensorflow/core/platform/cpu_feature_guard.cc:210] This TensorFlow binary is optimized
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate flags.
W0000 00:00:1795574194.507932    1549 gpu_device.cc:2433] TensorFlow was not built with CUDA kernel binaries
"""
ERRORS = """\
E0000 00:00:1795574194.507932    1549 cuda_executor.cc:1040] failed call to cuInit: CUDA_ERROR_UNKNOWN
F0000 00:00:1795574194.507932    1549 cpu_feature_guard.cc:32] The TensorFlow library was compiled to use AVX2
ImportError: libcudart.so.12: cannot open shared object file
Warning: a disk is nearly full
"""


def test_only_startup_lines_are_dropped(capfd):
    with _without_startup_lines():
        os.write(2, (LINES + ERRORS).encode())
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == f"{ERRORS}afterwards\n"


def test_the_last_words_of_a_crash_get_through():
    code = (
        "import os, resource\n"
        "from inclinet.networks.backend import _without_startup_lines\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "with _without_startup_lines():\n"
        f"    os.write(2, {(LINES + ERRORS).encode()!r})\n"
        "    os.abort()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGABRT
    assert done.stderr == ERRORS


def test_an_error_inside_restores_standard_error(capfd):
    try:
        with _without_startup_lines():
            raise ImportError("no such symbol")
    except ImportError:
        os.write(2, b"I0000 00:00:1 not during the start\n")
    assert capfd.readouterr().err == "I0000 00:00:1 not during the start\n"


def test_what_is_installed():
    assert is_installed("keras")
    assert not is_installed("no_such_package")
