"""All stages in order, on made data."""

import json
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest


def test_all_stages_from_images_to_a_version(inclinet, small_sample, tmp_path):
    images, catalog = small_sample / "galaxies", small_sample / "catalog.csv"
    arguments = ["full", "-p", images, "-c", catalog, "--bands", "g, gri", "-s", 24, "-n", 1, "-b", 2, "-z", 2]
    code, text = inclinet(*arguments, "-m", "model4", "-N", 1, "-o", "out", "--workers", 1)
    assert code == 0, text
    out = tmp_path / "out" / "24x24-g-gri"
    assert sorted(path.name for path in (out / "packed").glob("*.npz")) == ["24x24_RGB.npz", "24x24_g.npz"]
    assert (out / "augmented" / "Uset_001_npz" / "24x24_train_aug_02.npz").is_file()
    assert list(json.loads((out / "models" / "Uset_001_model4_evalDict.json").read_text())) == ["1", "2"]
    assert (out / "evaluation" / "report.html").is_file()
    assert "60 images in" in text
    # Trained for two steps only, it is not put into use.
    assert re.search(r"^version \S+: trained on \d+ real galaxies; tested error", text, re.MULTILINE)
    told = re.search(r"to use it: inclinet predict --store (\S+) --version (\S+) image.jpg", text)
    assert told[1] == str(out.relative_to(tmp_path))
    assert inclinet("promote", told[2], "--store", out)[0] == 0
    code, text = inclinet("predict", images / "pgc1_d25x2_rot_g.png", "--store", out, "-o", "table.csv")
    assert code == 0, text
    assert f"version {told[2]}: trained on " in text
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["inclination"].notna().all()
    assert table["version"].tolist() == [told[2]]
    code, text = inclinet("models", "--store", out)
    assert code == 0
    assert "model4_0, model4_1" in text


def test_a_table_of_predictions_is_evaluated_without_networks(inclinet, tmp_path):
    labels = [50, 60, 70, 80]
    table = pd.DataFrame({"pgc": range(1, 5), "filter": "c", "inc_m": labels, "model4_0": [53, 57, 73, 77]})
    table.to_csv(tmp_path / "predictions.csv", index=False)
    code, text = inclinet("evaluate", "--predictions", "predictions.csv", "-o", "out")
    assert code == 0, text
    assert "Test set, 4 images of 4 galaxies" in text
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["networks"]["model4_0"]["rms"] == 3


@pytest.mark.slow
def test_galaxies_of_any_name_with_images_of_any_name(inclinet, small_sample, tmp_path):
    table = pd.read_csv(small_sample / "catalog.csv", sep="|", skipinitialspace=True).rename(columns=str.strip)
    (tmp_path / "pictures").mkdir()
    files = []
    for pgc in table["pgc"]:
        file = tmp_path / "pictures" / f"{pgc:03d}-picture.jpg"
        file.hardlink_to(small_sample / "galaxies" / f"pgc{pgc}_d25x2_rot_gri.sdss.jpg")
        files.append(file.name)
    names = [f"SGA {2**40 + pgc}" for pgc in table["pgc"]]
    catalogue = pd.DataFrame({"Object": names, "Inclination": table["inc"], "File": files})
    catalogue.to_csv(tmp_path / "c.csv", index=False)
    columns = ["--column", "galaxy=object", "--column", "inc=inclination", "--image-column", "file"]
    how = ["-s", 24, "-n", 0, "-b", 1, "-z", 2, "-m", "model4", "--bands", "gri", "--workers", 1]
    code, text = inclinet("full", "-p", "pictures", "-c", "c.csv", *columns, *how, "-o", "out")
    assert code == 0, text
    assert "60 images in" in text
    code, text = inclinet("predict", "c.csv", "-p", "pictures", *columns, "--version", *_version(text), "-o", "t.csv")
    assert code == 0, text
    found = pd.read_csv(tmp_path / "t.csv")
    assert found["galaxy"].tolist() == names
    assert found["inclination"].notna().all()
    # The names of the files may say the galaxies instead.
    (tmp_path / "named").mkdir()
    for name, file in zip(names, files, strict=True):
        (tmp_path / "named" / f"{name}_mine_gri.jpg").hardlink_to(tmp_path / "pictures" / file)
    code, text = inclinet("full", "-p", "named", "-r", "mine", "-c", "c.csv", *columns[:4], *how, "-o", "two")
    assert code == 0, text
    one, two = (sorted((tmp_path / out).glob("*/samples/RGB*_test_000.npz")) for out in ("out", "two"))
    assert one[0].read_bytes() == two[0].read_bytes()


@pytest.mark.slow
def test_bands_of_any_name_and_colour_of_other_surveys(inclinet, small_sample, tmp_path):
    (tmp_path / "galaxies").mkdir()
    for band, ending in {"z": "g.png", "W1": "r.png", "grz": "gri.sdss.jpg"}.items():
        for path in (small_sample / "galaxies").glob(f"*_{ending}"):
            name = path.name.replace(f"_{ending}", f"_{band}.{ending[-3:]}")
            (tmp_path / "galaxies" / name).hardlink_to(path)
    sample = ["-p", "galaxies", "-c", small_sample / "catalog.csv", "--bands", "grz,z,W1"]
    how = ["-s", 24, "-n", 0, "-b", 1, "-z", 6, "-m", "model4", "--workers", 1]
    code, text = inclinet("full", *sample, *how, "-o", "out")
    assert code == 0, text
    out = tmp_path / "out" / "24x24-W1-grz-z"
    batch = np.load(out / "augmented" / "Uset_000_npz" / "24x24_train_aug_01.npz")
    share = Counter(batch["filter"].tolist())
    assert set(share) == {b"W1", b"grz", b"z"}
    assert share[b"grz"] == share[b"W1"] + share[b"z"]
    is_gray = (batch["images"] == batch["images"][..., :1]).all(axis=(1, 2, 3))
    assert is_gray.tolist() == [letter != b"grz" for letter in batch["filter"]]
    evaluation = json.loads((out / "evaluation" / "metrics.json").read_text())
    assert list(evaluation["by_band"]["median of all"]) == ["W1", "grz", "z"]
    assert "colour grz" in (out / "evaluation" / "report.html").read_text()
    code, text = inclinet("predict", "galaxies", "--version", *_version(text), "--per-image", "-o", "t.csv")
    assert code == 0, text
    table = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    assert Counter(table["band"]) == {"W1": 60, "grz": 60, "z": 60}
    assert not table["flag"].str.contains("band").any()


def _version(text):
    told = re.search(r"to use it: inclinet predict --store (\S+) --version (\S+) image.jpg", text)
    return told[2], "--store", told[1]


def test_the_parts_need_each_other_and_the_same_options(inclinet, small_sample, tmp_path):
    images, catalog = small_sample / "galaxies", small_sample / "catalog.csv"
    how = ["full", "-p", images, "-c", catalog, "--bands", "gri", "-s", 24, "-n", 1, "-b", 1, "-z", 2, "-m", "model4"]
    assert "nothing is prepared here; run the part `prepare`" in inclinet(*how, "--only", "train")[1]
    assert "add --only train" in inclinet(*how, "--subsample", 1)[1]
    assert inclinet(*how, "--only", "prepare", "--workers", 1)[0] == 0
    code, text = inclinet(*how, "-z", 3, "--only", "train", "--subsample", 0)
    assert code == 1 and "prepared with batchsize 2, not 3" in text and "--batchsize" in text
    assert "no subsample 2: the last one is 1" in inclinet(*how, "--only", "train", "--subsample", 2)[1]
    out = tmp_path / "inclinet-out" / "24x24-gri"
    where = ["-a", out / "augmented", "-i", out / "samples", "-o", out / "models"]
    code, text = inclinet("train", *where, "-s", 24, "-b", 1, "-m", "model4", "--subsample", 1)
    assert code == 0, text
    assert [path.name for path in (out / "models").glob("*.keras")] == ["Uset_001_model4.keras"]
    assert "Uset_000_model4.keras: this network is not trained yet" in inclinet(*how, "--only", "publish")[1]
    assert inclinet(*how, "--only", "train")[0] == 0
    code, text = inclinet(*how, "--only", "publish", "--learning_rate", 0.01)
    assert code == 1 and "was trained with learning_rate 0.001, not 0.01" in text
    assert "published" in inclinet(*how, "--only", "publish")[1]
