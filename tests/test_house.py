"""The rules of the house, kept by a test."""

import ast
import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def imports(folder):
    for path in sorted((ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                yield path.name, name.partition(".")[0], name


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("inclinet", {"prefect", "tasks", "flows", "deployments"}),
        ("tasks", {"flows", "deployments"}),
        ("flows", {"deployments", "PIL", "cv2", "numpy", "keras"}),
    ],
)
def test_imports_go_one_way(folder, forbidden):
    assert not [(file, name) for file, top, name in imports(folder) if top in forbidden]


def test_modules_of_the_library_are_imported_by_their_own_names():
    """`from inclinet.prep import …`: so an artifact's key sees which code makes it."""
    found = [file for file, _, name in imports("inclinet") if name == "inclinet"]
    assert set(found) <= {"cli.py"}


@pytest.mark.parametrize("module", ["flows.full", "flows.train", "inclinet.cli.main"])
def test_no_keras_before_it_is_needed(module):
    code = f"import {module}, sys; sys.exit(int('keras' in sys.modules or 'tensorflow' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_pinned_versions_agree():
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text()
    assert f"prefect=={pins['prefect']}" in project
    assert f"tensorflow=={pins['tensorflow']}" in project
    assert "://" not in (ROOT / "constraints.txt").read_text()
