"""Which artifacts a change of the code makes again."""

import importlib
import shutil
import subprocess
import sys

import pytest

from inclinet.preparation.augment import augment
from inclinet.storage import code_digest as module
from inclinet.storage.code_digest import code_digest
from tests.conftest import ROOT

MAKERS = {
    "prep": "tasks.prep",
    "stored batch": "tasks.augment",
    "snapshot": "inclinet.training.run",
    "network": "tasks.train",
    "evaluation": "tasks.evaluate",
}


@pytest.fixture(scope="module")
def digests(tmp_path_factory):
    """The digest of every maker after a module, or a file beside it, was changed by a comment."""
    project = tmp_path_factory.mktemp("project")
    for name in ("inclinet", "tasks"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"from inclinet.storage.code_digest import code_digest as d; print(*map(d, {list(MAKERS.values())}))"

    def change(file=None):
        kept = (project / file).read_text() if file else ""
        if file:
            (project / file).write_text(kept + "\n# changed\n")
        out = subprocess.run([sys.executable, "-c", code], cwd=project, check=True, capture_output=True, text=True)
        if file:
            (project / file).write_text(kept)
        return dict(zip(MAKERS, out.stdout.split(), strict=True))

    return change


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("inclinet/preparation/rendering.py", {"stored batch"}),
        ("tasks/augment.py", {"stored batch"}),
        ("tasks/train.py", {"network"}),
        ("inclinet/training/schedule.py", {"snapshot", "network"}),
        ("inclinet/training/run.py", {"snapshot", "network"}),
        ("inclinet/networks/build.py", {"snapshot", "network"}),
        ("inclinet/networks/save.py", {"network"}),
        ("inclinet/training/curves.py", {"network", "evaluation"}),
        ("inclinet/training/record.py", {"network"}),
        ("inclinet/data/images.py", {"prep"}),
        ("inclinet/evaluation/report.py", {"evaluation"}),
        ("inclinet/figures/page.html", {"evaluation"}),
        ("inclinet/evaluation/filenames.py", {"network", "evaluation"}),
        ("inclinet/registry/compare.py", set()),
        ("inclinet/errors.py", set()),
        ("tasks/common.py", set()),
    ],
)
def test_a_change_remakes_what_it_may_change(digests, file, changed):
    before, after = digests(), digests(file)
    assert {name for name in before if after[name] != before[name]} == changed


def test_a_function_stands_for_its_module():
    assert code_digest(augment) == code_digest("inclinet.preparation.augment")
    assert code_digest(augment, "tasks.prep") == code_digest("tasks.prep", augment)
    assert code_digest(augment) != code_digest("inclinet.preparation.split")


@pytest.mark.parametrize("name", ["inclinet.preparation.augmnet", "augment", "json"])
def test_an_unknown_module_is_an_error(name):
    with pytest.raises(ModuleNotFoundError, match=name):
        code_digest(name)


def test_every_module_without_effect_exists():
    for name in module._WITHOUT_EFFECT:
        assert importlib.util.find_spec(name), name


@pytest.fixture
def process(tmp_path):
    """A function that runs code in a process of a project of its own, whose files the code may replace."""
    for name, text in {
        "__init__": "",
        "maker": "def make():\n    from tasks.late import number\n    return number\n",
        "late": "number = 1\n",
    }.items():
        (tmp_path / "tasks" / f"{name}.py").parent.mkdir(exist_ok=True)
        (tmp_path / "tasks" / f"{name}.py").write_text(text)

    def run(*lines):
        start = ["from pathlib import Path", "import tasks.maker"]
        start += ["from inclinet.storage.code_digest import check_code, code_digest"]
        replace = ["def replace():", "    Path('tasks/late.py').write_text('number = 22')"]
        environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", "\n".join([*start, *replace, *lines])]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        return done.stdout.split(), done.stderr

    return run


SHOW = "print(tasks.maker.make(), code_digest('tasks.maker'))"


def test_code_that_is_replaced_in_place_does_not_change_what_a_process_signs_with(process):
    _, before = process(SHOW)[0]
    number, after = process("number = tasks.maker.make()", "replace()", SHOW, "check_code('tasks.maker')")[0]
    assert (number, after) == ("1", before)
    number, new = process(SHOW)[0]
    assert number == "22"
    assert new != before


def test_a_process_that_runs_a_mixture_of_old_and_new_code_signs_nothing(process):
    [number, _], errors = process("code_digest('tasks.maker')", "replace()", SHOW, "check_code('tasks.maker')")
    assert number == "22"
    assert "tasks.late: the code was replaced while this process ran" in errors
