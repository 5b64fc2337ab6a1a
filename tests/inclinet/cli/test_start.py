"""What a command imports before it starts: every import is time that people wait."""

import subprocess
import sys

import pytest
from typer.main import get_command

from inclinet.cli.app import app
from inclinet.cli.group import GROUPS

SLOW = ["astropy", "boto3", "cv2", "httpx", "jinja2", "keras", "matplotlib", "numpy", "onnxruntime", "pandas", "PIL"]
SLOW += ["prefect", "scipy", "sep", "tensorflow"]
CODE = f"""
import sys
from inclinet.cli.main import main
try:
    main()
finally:
    print("IMPORTED", *(name for name in {SLOW} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        ((), set()),
        (("--help",), set()),
        (("--version",), set()),
        (("simulate", "--help"), set()),
        (("train", "--help"), {"numpy"}),
        (("prep", "--help"), {"numpy"}),
        (("full", "--help"), {"numpy"}),
        (("compress", "-i", "nowhere"), {"numpy", "cv2", "PIL"}),
        (("split", "-i", "nowhere"), {"numpy"}),
        (("augment", "-i", "nowhere"), {"numpy", "cv2"}),
        (("prep", "-b", "g", "-p", "nowhere"), {"numpy", "cv2", "PIL", "pandas", "sep"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else " ".join(value),
)
def test_a_command_imports_only_what_it_needs(arguments, needed, tmp_path):
    command = [sys.executable, "-c", CODE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert set(done.stderr.rpartition("IMPORTED")[2].split()) <= needed


def test_the_list_of_commands_says_what_their_help_says():
    commands = get_command(app).commands
    for group in GROUPS.values():
        for name, (_, text) in group.items():
            assert commands[name].get_short_help_str(200) == text
