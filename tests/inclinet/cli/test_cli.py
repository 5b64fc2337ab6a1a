"""The commands as their users call them."""

import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from inclinet.cli.group import GROUPS
from inclinet.registry import shipped
from inclinet.simulation.simulate import simulate
from tests.conftest import write_catalog

COMMANDS = [
    *("prep", "compress", "split", "augment", "train", "evaluate", "simulate", "full"),
    *("publish", "models", "promote", "predict", "cutouts", "serve", "prune"),
]
OPTIONS = {
    "prep": "-p --impath -r --imroot -c --catalog -b --band -s --size",
    "compress": "-i --infolder -s --size -o --outfolder",
    "split": "-i --infolder -s --size -o --outfolder -n --niter",
    "augment": "-i --infolder -s --size -o --outfolder -n --niter -b --nbatch -z --batchsize",
    "train": "-a --augmented -i --samples -s --size -o --outModels -m --modelName -n --niter -b --nbatch "
    "-N --N_batch_iter -z --training_batch_size",
    "evaluate": "--predictions",
    "simulate": "-n -o",
    "full": "--bands -s --size",
    "publish": "-m --models -e --evaluation --store",
    "models": "--store",
    "promote": "--store --why",
    "predict": "-o --out -p --impath --store --version",
    "cutouts": "-o --out --survey -b --bands --width --size",
    "serve": "--host --port --label --token --version",
    "prune": "--keep --older --dry --store",
}


PUBLISHED = {
    "model4_0": [3.77, 2.65, -0.023, 2.97, 2.1],
    "model5_0": [3.34, 2.29, -0.039, 2.55, 1.4],
    "model6_0": [3.47, 2.41, -0.046, 2.74, 1.4],  # MAE 2.4149
    "median of all": [3.09, 2.12, -0.033, 2.37, 1.1],
    "mean of all": [3.10, 2.12, -0.038, 2.36, 1.2],
}
"""RMS, MAE, slope, 68th percentile, share (%) above 10 deg of the published predictions."""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_goes_in_and_out_and_shows_an_example(inclinet, command):
    code, text = inclinet(command, "--help")
    assert code == 0
    for word in ("In:", "Out:", f"Example: inclinet {command}", "-v, --verbose"):
        assert word in text
    flags = set(re.findall(r"(?<!\S)--?\w+", text.partition("Options:")[2]))
    assert set(OPTIONS[command].split()) <= flags
    example = text.partition("Example:")[2].partition("\n\n")[0]
    assert set(re.findall(r"(?<!\S)--?\w+", example)) <= flags


def test_the_help_lists_every_command_in_groups(inclinet):
    code, text = inclinet("--help")
    assert code == 0
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(COMMANDS)
    places = [text.index(f"{title}:") for title in GROUPS]
    assert places == sorted(places)
    assert re.search(r"^  predict   Predict the inclination of galaxies from their images\.$", text, re.MULTILINE)
    assert "..." not in text.partition("Options:")[2], "a short help is cut off"


def test_the_version_is_told(inclinet):
    assert inclinet("--version") == (0, f"inclinet {version('inclinet')}\n")


def test_all_stages_on_real_galaxies(inclinet, shared):
    code, text = inclinet(
        *("full", "-p", shared / "galaxies", "-c", shared / "catalog.csv", "-s", 32, "-n", 1, "-b", 2, "-z", 2),
        *("-N", 2, "-o", "out"),
    )
    assert code == 0, text
    out = Path("out") / "32x32-g-r-i-gri"
    assert len(list((out / "packed").glob("32x32_*.npz"))) == 4
    assert len(list((out / "samples").glob("*.npz"))) == 16
    assert (out / "augmented" / "Uset_001_npz" / "32x32_train_aug_02.npz").is_file()
    assert (out / "models" / "Uset_001_residual.keras").is_file()
    steps = json.loads((out / "models" / "Uset_000_residual_evalDict.json").read_text())
    assert list(steps) == ["1", "2", "3", "4"]
    # Of the five labelled galaxies none falls into the test set.
    assert "No galaxy fell into the test set" in text


def test_the_published_predictions_give_the_published_metrics(inclinet, shared):
    code, text = inclinet("evaluate", "--predictions", shared / "published_predictions.csv", "-o", "out")
    assert code == 0
    assert "median of all" in text
    found = json.loads(Path("out/metrics.json").read_text())
    for name, expected in PUBLISHED.items():
        figures = (found["networks"] | found["ensembles"])[name]
        rounded = [round(figures[key], digits) for key, digits in (("rms", 2), ("mae", 2), ("slope", 3), ("p68", 2))]
        assert [*rounded, round(100 * figures["above_10"], 1)] == expected
    by_band = {band: round(of["rms"], 2) for band, of in found["by_band"]["mean of all"].items()}
    assert by_band == {"c": 3.51, "g": 2.65, "r": 2.34, "i": 2.86}
    by_bin = {name: round(of["rms"], 2) for name, of in found["by_bin"]["mean of all"].items()}
    assert (by_bin["45–50"], by_bin["55–60"], by_bin["85–90"]) == (2.91, 4.47, 1.95)
    page = Path("out/report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "http" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("prep -b ../z", "'../z' cannot be the name of a band: give up to 16 letters and digits"),
        ("prep -b g -p nowhere", "nowhere: no such folder of images"),
        ("prep -b g -p galaxies -s 0", "size 0: Input should be greater than or equal to 8 (option --size)"),
        ("compress -s 7", "size 7: Input should be greater than or equal to 8 (option --size)"),
        ("split -s 2000", "size 2000: Input should be less than or equal to 1024 (option --size)"),
        ("prep -b g -p galaxies -c bad.csv", "bad.csv: the catalogue has no column 'inc'"),
        ("prep -b g -p galaxies -c none.csv", "none.csv: the catalogue cannot be read"),
        ("prep -b g -p galaxies -r d25x9", "no image in band g is left"),
        ("compress -i nowhere", "nowhere: no such folder"),
        ("split -i galaxies", "run `inclinet compress` first"),
        ("augment -i galaxies", "run `inclinet split` first"),
        ("augment -z 0", "batchsize 0: Input should be greater than or equal to 1 (option --batchsize)"),
        ("train -a nowhere", "run `inclinet augment` first"),
        ("augment -n -1", "niter -1: Input should be greater than or equal to 0 (option --niter)"),
        ("train -b 0", "nbatch 0: Input should be greater than or equal to 1 (option --nbatch)"),
        ("train -m model9", "no network 'model9'"),
        ("simulate -o /proc/none", "/proc/none"),
        ("full -m model5 -s 64", "smallest size that works is 76"),
        ("full --bands g,1z", "bands 1z: String should match pattern '^[A-Za-z][A-Za-z0-9]{0,15}$' (option --bands)"),
        ("full --bands g,RGB", "bands RGB: Value error, the colour band is called gri (option --bands)"),
        ("train -m model5 -s 64 -a augmented -n 0 -b 1", "smallest size that works is 76"),
        ("evaluate -m nowhere", "run `inclinet train` first"),
        ("evaluate --predictions bad.csv", "bad.csv"),
        ("models", "no artifact store is named"),
        ("models --store empty", "no version is published yet"),
        ("promote 20200101-0123456789 --store empty", "there is no version '20200101-0123456789'"),
        ("promote ../secrets --store empty", "there is no version '../secrets'"),
        ("predict none.jpg --store empty", "none.jpg: no such image, folder or catalogue"),
        ("predict galaxies --store empty", "no version is in use"),
        ("predict galaxies --store empty -o out.dat", "out.dat: unknown format of a table"),
        ("predict empty --store empty", "empty: no image in this folder"),
        ("predict catalog.csv -p augmented --store empty", "no version is in use"),
        ("predict catalog.csv -p nowhere --store empty", "nowhere: no such folder of images (option --impath)"),
    ],
)
def test_bad_input_gets_one_clear_line(inclinet, tmp_path, small_sample, monkeypatch, arguments, message):
    shutil.copytree(small_sample / "galaxies", tmp_path / "galaxies")
    shutil.copy(small_sample / "catalog.csv", tmp_path)
    monkeypatch.delenv("INCLINET_STORE", raising=False)
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tmp_path / "nothing ships")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("pgc | ink\n1 | 60\n")
    (tmp_path / "augmented" / "Uset_000_npz").mkdir(parents=True)
    (tmp_path / "augmented" / "Uset_000_npz" / "64x64_train_aug_01.npz").write_bytes(b"")
    code, text = inclinet(*arguments.split())
    assert code in (1, 2)
    assert message in text
    assert "Traceback" not in text


def test_a_truncated_image_and_a_missing_row_are_counted(inclinet, tmp_path, small_sample):
    shutil.copytree(small_sample / "galaxies", tmp_path / "galaxies")
    broken = tmp_path / "galaxies" / "pgc5_d25x2_rot_g.png"
    broken.write_bytes(broken.read_bytes()[:60])
    write_catalog(tmp_path / "catalog.csv", [{"pgc": pgc, "inc": 60} for pgc in [*range(1, 60), 999]])
    code, text = inclinet("prep", "-b", "g", "-s", "16", "-v")
    assert code == 0
    assert "58 images in 16x16_g, 3 galaxies skipped" in text
    for reason in ("pgc5_d25x2_rot_g.png: not a readable image", "no image in band g", "not in the catalogue"):
        assert reason in text


def test_simulated_galaxies_can_be_prepared(inclinet, tmp_path):
    assert inclinet("simulate", "-n", "6", "-o", "mocks", "-s", "64")[0] == 0
    code, text = inclinet("prep", "-b", "gri", "-p", "mocks", "-c", "mocks/catalog.csv", "-s", "32")
    assert code == 0, text
    assert len(list((tmp_path / "32x32_RGB").iterdir())) >= 4


def test_a_cross_validation_publishes_the_network_of_all_galaxies(inclinet, tmp_path):
    simulate(60, tmp_path / "mocks", seed=1, size=64)
    arguments = ["full", "-p", tmp_path / "mocks", "-c", tmp_path / "mocks" / "catalog.csv", "--bands", "g"]
    code, text = inclinet(*arguments, "-s", 24, "-m", "model4", "--folds", 2, "-b", 1, "-z", 4, "-o", "out")
    assert code == 0, text
    assert "Cross-validation in 2 folds" in text
    registry = tmp_path / "out" / "24x24-g" / "registry"
    [bundle] = registry.glob("*/bundle.json")
    version = json.loads(bundle.read_text())
    assert [name for name in version["files"] if name.endswith(".keras")] == ["Uset_000_model4.keras"]
    assert version["info"]["test"]["folds"] == 2
    metrics = json.loads((registry.parent / "evaluation" / "metrics.json").read_text())
    assert version["info"]["test"]["galaxies"] == metrics["galaxies"] > 40
    assert "Cross-validation in 2 folds" in (bundle.parent / "README.md").read_text()


def test_networks_are_published_with_the_framing_that_they_were_trained_with(inclinet, tmp_path):
    simulate(60, tmp_path / "mocks", seed=1, size=64)
    sample = ["-p", tmp_path / "mocks", "-c", tmp_path / "mocks" / "catalog.csv", "--bands", "g"]
    code, text = inclinet("full", *sample, "-s", 24, "-m", "model4", "-n", 0, "-b", 1, "-z", 4, "-o", "out")
    assert code == 0, text
    made = tmp_path / "out" / "24x24-g"
    folders = ["-m", made / "models", "-i", made / "samples", "-e", made / "evaluation"]
    for options, framing in (([], "measured"), (["--framing", "given"], "given")):
        code, text = inclinet("publish", *folders, "-s", 24, *options, "--store", tmp_path / framing)
        assert code == 0, text
        [bundle] = (tmp_path / framing).glob("registry/*/bundle.json")
        assert json.loads(bundle.read_text())["info"]["framing"] == framing
