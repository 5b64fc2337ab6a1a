"""Rules of the house that no other tool keeps."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from inclinet.cli.main import app
from tests.conftest import ROOT

PACKAGES = ("inclinet", "tasks", "flows", "deployments")


def imports(path):
    """Yield the modules that a file imports; a relative import starts with a dot."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("package", ["inclinet", "tasks"])
def test_modules_of_the_library_are_imported_by_their_own_names(package):
    """`from inclinet.preparation.prep import prep`: so that the digest of an artifact's code finds the module."""
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / package).rglob("*.py")
        for name in imports(path)
        if name in PACKAGES or name.startswith(".")
    }
    assert not found


@pytest.mark.parametrize("module", ["flows.full", "flows.train", "inclinet.cli.main"])
def test_no_keras_before_it_is_needed(module):
    code = f"import {module}, sys; sys.exit(int('keras' in sys.modules or 'tensorflow' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_no_command_needs_more_than_a_moment_for_its_help():
    """Importing pandas alone takes longer than the rest."""
    code = """
import contextlib, io, sys
from inclinet.cli.main import main

for command in sys.argv[1:]:
    sys.argv[1:] = [command, "--help"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main()
print({"pandas", "PIL", "cv2", "keras", "onnxruntime", "boto3"} & sys.modules.keys() or "none")
"""
    commands = list(get_command(app).commands)
    done = subprocess.run([sys.executable, "-c", code, *commands], cwd=ROOT, check=True, capture_output=True, text=True)
    assert len(commands) > 10
    assert done.stdout == "none\n"


@pytest.fixture
def copy(tmp_path):
    """A copy of the code; returns a function that runs import-linter on it."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def lint():
        command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return lint


def test_the_import_contract_holds(copy):
    done = copy()
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("inclinet/data/catalog.py", "import inclinet.training.run", "the order of the data"),
        ("inclinet/storage/store.py", "from inclinet.data.catalog import read_catalog", "the order of the data"),
        ("inclinet/evaluation/metrics.py", "from prefect import task", "The science knows no Prefect"),
        ("tasks/common.py", "import flows.full", "deployments -> flows -> tasks -> inclinet"),
        ("flows/full.py", "import numpy", "Flows touch no image"),
    ],
)
def test_a_broken_import_contract_fails(copy, tmp_path, module, line, contract):
    path = tmp_path / module
    path.write_text(f"{path.read_text()}\n{line}\n")
    done = copy()
    assert done.returncode == 1
    broken = done.stdout.partition("Broken contracts")[2]
    assert contract in " ".join(broken.split())
    assert module.removesuffix(".py").replace("/", ".") in broken


def test_the_pinned_versions_agree():
    pins = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    project = (ROOT / "pyproject.toml").read_text()
    assert f"prefect=={pins['prefect']}" in project
    assert f"tensorflow=={pins['tensorflow']}" in project
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_the_readme_is_short():
    assert (ROOT / "README.md").stat().st_size < 6000


def test_make_help_lists_every_target_within_80_columns():
    lines = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    [targets] = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {line.split()[1] for line in lines if line.startswith("make ")} == set(targets.split())
    assert max(map(len, lines)) <= 80


def commands_in(text):
    """Yield (command, options) of every `inclinet COMMAND …` in the code of a Markdown page."""
    fenced = re.findall(r"^ *```.*?$(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    for code in (*fenced, *inline):
        for command, rest in re.findall(r"(?<![\w./-])inclinet +([a-z]+)\b([^#;|&\n]*)", code.replace("\\\n", " ")):
            yield command, re.findall(r"(?<!\S)--?[A-Za-z][\w-]*", rest)


@pytest.mark.parametrize("page", ["README.md", "docs"])
def test_commands_and_options_in_the_documentation_exist(page):
    pages = [ROOT / page] if page.endswith(".md") else sorted((ROOT / page).glob("*.md"))
    commands = get_command(app).commands
    written = [(path.name, *found) for path in pages for found in commands_in(path.read_text())]
    assert written
    for name, command, options in written:
        assert command in commands, f"{name}: inclinet {command}"
        known = {"-h", "--help"}.union(*(one.opts + one.secondary_opts for one in commands[command].params))
        assert set(options) <= known, f"{name}: inclinet {command} {' '.join(options)}"


def test_commands_are_found_in_markdown():
    page = "Run `inclinet full -s 64`.\n```\ninclinet promote X \\\n  --why no # --not\n```\nimport inclinet now"
    assert list(commands_in(page)) == [("promote", ["--why"]), ("full", ["-s"])]
