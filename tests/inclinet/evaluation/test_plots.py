from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from inclinet.errors import InclinetError
from inclinet.evaluation import charts, plots
from inclinet.figures import style as drawing
from inclinet.training import curves

BLUE, GREEN, ORANGE = (tuple(bytes.fromhex(c[1:])) for c in (drawing.BLUE, drawing.GREEN, drawing.ORANGE))


def metrics(steps, tested=True):
    known = {str(s): {"loss": 0.5 / s, "mse": 0.5 / s, "mae": 0.6 / s**0.5} for s in range(steps, 0, -1)}
    for values in known.values():
        for key in ("loss", "mse", "mae"):
            values[f"val_{key}"] = 1.3 * values[key] if tested else None
    return known


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    truth = rng.integers(45, 91, 200)
    return pd.DataFrame(
        {"pgc": np.arange(200), "filter": rng.choice(list("cgri"), 200), "inc_m": truth}
        | {f"model4_{k}": truth + rng.normal(0, 3, 200) for k in range(2)}
    )


def pixels(path):
    """Check that a file is an image of its format; return its pixels, uint8 (height, width, 3)."""
    with Image.open(path) as image:
        assert image.format == {".png": "PNG", ".jpg": "JPEG"}[path.suffix]
        return np.asarray(image.convert("RGB"))


def count(picture, color):
    return int((np.abs(picture.astype(int) - color).max(axis=2) < 30).sum())


def figure_of(monkeypatch, draw):
    """Return the figure that `draw` saves."""
    kept = []
    save = drawing.save
    for module in (charts, curves, plots):
        monkeypatch.setattr(module, "save", lambda figure, path: kept.append(figure) or save(figure, path))
    draw()
    return kept[0]


@pytest.mark.parametrize("steps", [1, 2, 30, 3000])
def test_training_curves(tmp_path, steps):
    path = tmp_path / "Uset_000_model4_evalFig.jpg"
    assert curves.training_curves(metrics(steps), path, "model4, subsample 0") == path
    picture = pixels(path)
    halves = np.split(picture, [picture.shape[1] // 2], axis=1)
    assert all(count(half, color) > 20 for half in halves for color in (BLUE, GREEN))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_training_curves_are_labelled_and_in_order(tmp_path, monkeypatch):
    path = tmp_path / "f.png"
    figure = figure_of(monkeypatch, lambda: curves.training_curves(metrics(12), path, "model4"))
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("step", "step")
    assert (left.get_ylabel(), right.get_ylabel()) == ("RMS error (deg)", "mean absolute error (deg)")
    for axes in (left, right):
        low, high = axes.get_ylim()
        assert sum(low <= tick <= high for tick in axes.get_yticks()) >= 4
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "test"]
    line = left.lines[0]
    assert line.get_xdata().tolist() == list(range(1, 13))
    assert line.get_ydata()[-1] == pytest.approx(22.5 * (0.5 / 12) ** 0.5)
    assert right.lines[0].get_ydata()[-1] == pytest.approx(22.5 * 0.6 / 12**0.5)


def test_learning_curves_of_several_networks(tmp_path, monkeypatch):
    left = {step: {"mse": of["mse"], "left_mse": 2 * of["mse"]} for step, of in metrics(20).items()}
    networks = {"model4_0": metrics(30), "model4_1": left, "model5_0": {}}
    figure = figure_of(monkeypatch, lambda: curves.learning_curves(networks, tmp_path / "f.png"))
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert sorted(labels) == ["left-out", "test", "training"]
    assert axes.get_xlim()[1] > 30
    with pytest.raises(InclinetError, match="no step to draw"):
        curves.learning_curves({"model5_0": {}}, tmp_path / "g.png")


def test_training_curves_without_a_test_set(tmp_path):
    picture = pixels(curves.training_curves(metrics(5, tested=False), tmp_path / "f.png", "t"))
    assert count(picture, BLUE) > 50
    assert count(picture, GREEN) == 0


def test_training_curves_with_useless_values(tmp_path):
    broken = {"1": {"mse": 0.0, "mae": float("nan"), "val_mse": float("inf")}, "2": {}}
    assert pixels(curves.training_curves(broken, tmp_path / "f.png", "t")).size


def test_training_curves_before_the_first_step(tmp_path):
    with pytest.raises(InclinetError, match="no step to draw"):
        curves.training_curves({}, tmp_path / "f.png", "t")


def test_error_against_truth(table, tmp_path, monkeypatch):
    path = tmp_path / "f.png"
    figure = figure_of(monkeypatch, lambda: plots.error_against_truth(table, "median of all", path))
    axes = figure.axes[0]
    error = table[["model4_0", "model4_1"]].mean(axis=1) - table["inc_m"]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["colour", "g", "r", "i", "68 % band", "running median"]
    drawn = np.concatenate([line.get_ydata() for line in axes.lines[:4]])
    assert sorted(drawn) == pytest.approx(sorted(error))
    assert axes.get_ylim()[0] < error.min() < error.max() < axes.get_ylim()[1]
    assert pixels(path).std() > 5


def test_prediction_against_truth_of_galaxies(table, tmp_path, monkeypatch):
    galaxies = table.drop(columns="filter")
    draw = lambda: plots.prediction_against_truth(galaxies, "model4_0", tmp_path / "f.png", "true inclination")  # noqa: E731
    axes = figure_of(monkeypatch, draw).axes[0]
    error = table["model4_0"] - table["inc_m"]
    title = axes.get_title(loc="left")
    assert f"RMS {np.sqrt((error**2).mean()):.2f}" in title
    assert title.endswith("200 galaxies")
    assert axes.get_xlabel() == "true inclination (deg)"
    assert axes.lines[0].get_ydata().tolist() == table["model4_0"].tolist()


def test_coverage_against_chance(tmp_path, monkeypatch):
    groups = {"all": {"n": 100, "coverage": 0.5}, "45–60": {"n": 10, "coverage": 0.7}}
    path = tmp_path / "f.png"
    figure = figure_of(monkeypatch, lambda: charts.coverage_against_chance({"68": groups, "95": groups}, path))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all", "45–60°"]
    # By chance, 59 to 77 of 100 galaxies lie within their 68 % interval, and 4 to 9 or 10 of 10.
    low, high = axes.lines[1].get_xdata()
    assert (low, high) == pytest.approx((59, 77), abs=1)
    assert axes.get_xlim()[0] < 40


def test_error_against_truth_of_a_part(table, tmp_path):
    part = (table["inc_m"] + 1.0).iloc[[4]].rename("one image")
    assert pixels(plots.error_against_truth(table, part, tmp_path / "f.jpg")).size


def test_unknown_column_or_bad_prediction(table, tmp_path):
    with pytest.raises(InclinetError, match=r"model9_0.*median of all"):
        plots.error_against_truth(table, "model9_0", tmp_path / "f.png")
    with pytest.raises(InclinetError, match="not finite"):
        plots.error_histogram(table.assign(model4_0=np.nan), "model4_0", tmp_path / "f.png")
    assert not list(tmp_path.iterdir())


def test_error_histogram(table, tmp_path):
    baseline = (table["inc_m"] + 30.0).iloc[:50].rename("axis ratio (b_a)")
    alone = pixels(plots.error_histogram(table, "mean of all", tmp_path / "a.png"))
    both = pixels(plots.error_histogram(table, "mean of all", tmp_path / "b.png", baseline))
    assert count(alone, BLUE) > 200
    assert count(alone, ORANGE) == 0
    # Errors of 30 deg are counted in the outermost bar.
    assert count(both[:, -60:], ORANGE) > 200


def test_inclination_histogram(tmp_path, monkeypatch):
    before, after = [45, 50, 51, 90, 90, 90], np.repeat([46, 55, 86], 4)
    path = tmp_path / "f.png"
    figure = figure_of(monkeypatch, lambda: charts.inclination_histogram(before, after, path))
    axes = figure.axes[0]
    heights = np.array([bar.get_height() for bar in axes.patches]).reshape(2, 9)
    assert heights[0] == pytest.approx(100 * np.array([2, 1, 0, 0, 0, 0, 0, 0, 3]) / 6)
    assert heights[1] == pytest.approx(100 * np.array([1, 1, 0, 0, 0, 0, 0, 0, 1]) / 3)
    assert next(tick.get_text() for tick in axes.get_xticklabels()) == "45\N{EN DASH}50"
    assert pixels(path).size
    assert charts.inclination_histogram([], [], tmp_path / "g.png").exists()


def test_other_suffix(tmp_path):
    with pytest.raises(InclinetError, match=r"f\.gif.*\.png"):
        charts.inclination_histogram([50], [50], tmp_path / "f.gif")
    assert not list(tmp_path.iterdir())


def test_failure_leaves_the_old_figure(tmp_path, monkeypatch):
    path = charts.inclination_histogram([50], [50], tmp_path / "f.png")
    old = path.read_bytes()

    def half(figure, file, **kwargs):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        charts.inclination_histogram([60], [60], path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_threads_draw_the_same_and_change_nothing_global(table, tmp_path):
    settings = dict(mpl.rcParams)
    alone = pixels(plots.error_against_truth(table, "model4_0", tmp_path / "alone.png"))
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda k: plots.error_against_truth(table, "model4_0", tmp_path / f"{k}.png"), range(4)))
    assert all(np.array_equal(pixels(path), alone) for path in paths)
    assert dict(mpl.rcParams) == settings
