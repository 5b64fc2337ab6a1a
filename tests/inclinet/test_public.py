"""What `import inclinet` shows, which packages it needs, and what it leaves on standard error."""

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest

import inclinet
from inclinet.registry.choice import choose
from inclinet.registry.shipped import install
from tests.conftest import ROOT

STARTUP_LINES = re.compile(r"^[IW]\d{4} |oneDNN|cpu_feature_guard|absl::|rebuild TensorFlow|\bcuda\b", re.M | re.I)

WITHOUT_EXTRAS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"prefect", "galsim", "tensorflow", "jax", "keras", "onnx", "psutil", "pynvml"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run(*arguments, cwd=ROOT, **environment):
    """Run Python as in a new terminal; returns the finished process."""
    mine = {name: value for name, value in os.environ.items() if name not in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=mine | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_only_public_names_are_shown():
    assert dir(inclinet) == sorted(inclinet.__all__) == ["InclinetError", "Predictor", "__version__", "predict"]
    assert all(getattr(inclinet, name) for name in inclinet.__all__)
    with pytest.raises(AttributeError, match="module 'inclinet' has no attribute 'Predicter'"):
        inclinet.Predicter  # noqa: B018


def test_importing_imports_nothing_slow():
    code = (
        "import inclinet, sys; print([name for name in ('numpy', 'pandas', 'keras', 'boto3') if name in sys.modules])"
    )
    assert run("-c", code).stdout == "[]\n"


@pytest.fixture
def core_only():
    """Run `inclinet ARGUMENTS` where only the core's packages are installed."""

    def run_core(*arguments, cwd):
        code = f"{WITHOUT_EXTRAS}\nfrom inclinet.cli.main import main\nmain()"
        return run("-c", code, *arguments, cwd=cwd, JAX_PLATFORMS="cpu")

    return run_core


def test_the_core_imports_evaluates_and_predicts(core_only, published, small_sample, tmp_path):
    helped = core_only("--help", cwd=tmp_path)
    assert (helped.returncode, helped.stderr) == (0, "")
    table = pd.DataFrame({"pgc": [1, 2, 3], "filter": "c", "inc_m": [50, 60, 70], "model4_0": [52, 58, 72]})
    table.to_csv(tmp_path / "table.csv", index=False)
    evaluated = core_only("evaluate", "--predictions", "table.csv", "-o", "out", cwd=tmp_path)
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["networks"]["model4_0"]["rms"] == 2
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    predicted = core_only("predict", image, "--store", published[0].uri, "-o", "predicted.csv", cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    with_all = inclinet.predict(image, store=published[0].uri)
    core = pd.read_csv(tmp_path / "predicted.csv")
    assert core["inclination"].tolist() == pytest.approx(with_all["inclination"].tolist(), abs=0.05)


SHIPPED = """
from inclinet.registry import choice, shipped
choice.shipped_folder = shipped.shipped_folder = lambda: __import__("pathlib").Path({folder!r})
"""

UNWANTED = {"boto3", "jax", "keras", "matplotlib", "onnx", "prefect", "pynvml", "scipy", "tensorflow"}


@pytest.fixture(scope="module")
def shipped_folder(published, tmp_path_factory):
    """A version as it ships, made from one of a store."""
    store = published[0]
    return install(store, choose(store).published, tmp_path_factory.mktemp("package") / "shipped")


def test_predicting_without_a_store_imports_only_what_it_needs(shipped_folder, small_sample, tmp_path):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    code = "\n".join(
        [
            "import sys",
            SHIPPED.format(folder=str(shipped_folder)),
            "from inclinet.cli.main import main",
            f"sys.argv = ['inclinet', 'predict', {str(image)!r}, '-o', 'table.csv']",
            "try:",
            "    main()",
            "finally:",
            "    print('IMPORTED', *sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)",
        ]
    )
    done = run("-c", code, cwd=tmp_path, INCLINET_STORE="")
    assert done.returncode == 0, done.stderr
    imported = set(done.stderr.rpartition("IMPORTED ")[2].split())
    assert "onnxruntime" in imported
    assert not imported & UNWANTED
    version = json.loads((shipped_folder / "bundle.json").read_text())["version"]
    assert f"version {version}, shipped with inclinet {inclinet.__version__}: trained on" in " ".join(
        done.stderr.split()
    )
    [row] = pd.read_csv(tmp_path / "table.csv").to_dict("records")
    assert row["version"] == version
    assert 45 <= row["inclination"] <= 90


def test_importing_inclinet_and_predicting_in_python_imports_no_more(shipped_folder, small_sample, tmp_path):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    code = (
        f"import inclinet, sys; {SHIPPED.format(folder=str(shipped_folder))}; table = inclinet.predict({str(image)!r})"
    )
    code = code.replace(";", "\n").replace("\n ", "\n")
    code += "\nprint(table.attrs['about'])\nprint(*sorted(name for name in sys.modules if '.' not in name))"
    done = run("-c", code, cwd=tmp_path, INCLINET_STORE="")
    assert done.returncode == 0, done.stderr
    about, imported = done.stdout.splitlines()
    assert "shipped with inclinet" in about
    assert not set(imported.split()) & (UNWANTED | {"rich", "typer"})


def test_a_command_beyond_the_core_says_which_extra_it_needs(core_only, tmp_path):
    told = core_only("simulate", "-n", "2", cwd=tmp_path)
    assert told.returncode == 1
    assert told.stderr == "error: inclinet simulate needs GalSim: pip install 'inclinet[simulate]'\n"


def test_keras_uses_jax_only_where_tensorflow_is_missing():
    code = "import os, inclinet; print(os.environ.get('KERAS_BACKEND'))"
    assert run("-c", code).stdout == "None\n"
    assert run("-c", WITHOUT_EXTRAS + code).stdout == "jax\n"
    assert run("-c", WITHOUT_EXTRAS + code, KERAS_BACKEND="torch").stdout == "torch\n"


def test_no_startup_lines_on_standard_error(published, stored, small_sample, tmp_path):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    store = published[0].uri
    commands = {
        "train": f"-a {stored} -i {stored / 'samples'} -s 24 -n 0 -b 2 -N 1 -o {tmp_path / 'models'}",
        "evaluate": f"-i {stored / 'samples'} -m {tmp_path / 'models'} -s 24 -o {tmp_path / 'evaluation'}",
        "predict": f"{image} --store {store}",
    }
    for command, options in commands.items():
        done = run("-m", "inclinet", command, *options.split())
        assert done.returncode == 0, done.stderr
        assert not STARTUP_LINES.search(done.stderr), done.stderr


def test_no_startup_lines_in_a_users_own_python(published, small_sample):
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    code = f"import inclinet, tensorflow; inclinet.predict({str(image)!r}, store={published[0].uri!r})"
    done = run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_asks_for_the_lines_gets_them():
    code = "import inclinet, sys; print(any(type(one).__name__ == '_TensorFlowFinder' for one in sys.meta_path))"
    assert [run("-c", code, TF_CPP_MIN_LOG_LEVEL=level).stdout for level in "012"] == ["False\n", "False\n", "True\n"]
    assert run("-c", "import inclinet, os; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))").stdout == "None\n"
