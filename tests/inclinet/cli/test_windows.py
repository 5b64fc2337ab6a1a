"""What needs only what Windows has, and what says that it needs more. Run here, without what Windows lacks."""

import subprocess
import sys

import pandas as pd
import pytest

from inclinet.registry.shipped import read_shipped
from tests.conftest import ROOT

WITHOUT_POSIX = """
import os
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in {"fcntl", "grp", "pwd", "resource", "syslog", "termios"}:
            raise ModuleNotFoundError(name, name=name)

for name in ("fcntl", "grp", "pwd", "resource", "syslog", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
for name in ("fchmod", "fork", "geteuid", "getgid", "getuid"):
    delattr(os, name)
from inclinet.cli.main import main
main()
"""


def run(*arguments):
    command = [sys.executable, "-c", WITHOUT_POSIX, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.skipif(read_shipped() is None, reason="this installation ships no version")
def test_predicting_needs_nothing_of_posix(small_sample, tmp_path):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_gri.sdss.jpg"
    done = run("predict", image, "-o", tmp_path / "table.csv")
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "table.csv")["inclination"].notna().all()


@pytest.mark.parametrize("command", ["train", "full"])
def test_making_networks_names_the_systems_that_can(command):
    done = run(command)
    assert done.returncode == 1
    assert f"error: inclinet {command} runs on Linux and macOS: on Windows, run it in WSL 2" in done.stderr
