"""How mocks differ from real galaxies: python benchmarks/mocks_against_sky.py [--real FOLDER] [--mocks FOLDER].

FOLDER holds `catalog.csv` and the colour images, those of `--real` 1.25 D25 wide in a folder `galaxies`, those of
`--mocks` 2 D25 wide; without `--mocks`, 1,500 are simulated. Prints, for bins of inclination, the medians of statistics
of the images (`shape_statistics.py`) and the chance that a mock has the larger value (0.5: no difference), what
inclinations a kernel regression on the statistics gives real galaxies and mocks that it was not trained on, and how
well a logistic regression on them tells mocks from real galaxies.
"""

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from shape_statistics import FIELD, SIDE, measure
from tables import print_header, print_row

from inclinet.simulation.simulate import simulate

BINS = ((45, 60), (60, 70), (70, 78), (78, 84), (84, 91))
FOLDS = 4
SHAPE = ("ratio", "size", "outline", "concentration", "height", "major", "minor", "dust")
"""Beginnings of the names of the statistics that do not depend on noise, sky or colours."""


def measure_file(path: Path, field: float) -> dict[str, float]:
    """Measure the middle of a colour image that is `field` D25 wide."""
    image = cv2.imread(str(path))[..., ::-1]
    rim = round(len(image) * (1 - FIELD / field) / 2)
    image = image[rim : len(image) - rim, rim : len(image) - rim]
    shrinks = len(image) >= SIDE
    return measure(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def measure_sample(images: Path, catalog: Path, root: str, field: float) -> pd.DataFrame:
    """Return the statistics of all galaxies labelled 45 deg or more, and their label `inc`."""
    table = pd.read_csv(catalog, sep="|", dtype=str, keep_default_na=False).map(str.strip).rename(columns=str.strip)
    table = table[(table.inc_flg == "0") & (pd.to_numeric(table.inc) >= BINS[0][0])].set_index("pgc")
    paths = [images / f"pgc{pgc}_{root}_gri.sdss.jpg" for pgc in table.index]
    with ProcessPoolExecutor(os.cpu_count(), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        rows = list(pool.map(partial(measure_file, field=field), paths, chunksize=50))
    return pd.DataFrame(rows, index=table.index).assign(inc=pd.to_numeric(table.inc))


def larger(first: np.ndarray, second: np.ndarray) -> float:
    """Return the chance that one of `second` is larger than one of `first`: the area under the ROC curve."""
    first, second = first[np.isfinite(first)], second[np.isfinite(second)]
    ranks = pd.Series(np.concatenate([first, second])).rank().to_numpy()[len(first) :]
    return float((ranks.sum() - len(second) * (len(second) + 1) / 2) / (len(first) * len(second)))


def of_bin(sample: pd.DataFrame, name: str, low: int, high: int) -> np.ndarray:
    """Return the values of one statistic in one bin of inclination."""
    return sample.loc[(sample.inc >= low) & (sample.inc < high), name].to_numpy()


def print_statistics(real: pd.DataFrame, mocks: pd.DataFrame) -> None:
    """Print the medians and the chances, one statistic per row."""
    print_header(["statistic: real / mocks (chance)", *(f"{low}–{high}" for low, high in BINS)], left=1)
    for name in real.columns.drop("inc"):
        pairs = [(of_bin(real, name, *limits), of_bin(mocks, name, *limits)) for limits in BINS]
        print_row([name, *(f"{np.nanmedian(a):.3g} / {np.nanmedian(b):.3g} ({larger(a, b):.2f})" for a, b in pairs)])


def scaled(names: list[str], base: pd.DataFrame, *samples: pd.DataFrame) -> list[np.ndarray]:
    """Return the statistics of each sample in robust standard deviations of `base`; what is not measured is 0."""
    low, middle, high = (base[names].quantile(q) for q in (0.16, 0.5, 0.84))
    return [(2 * (s[names] - middle) / (high - low + 1e-9)).clip(-4, 4).fillna(0).to_numpy() for s in samples]


def fit_logistic(x: np.ndarray, y: np.ndarray, weights: np.ndarray, ridge: float = 3.0) -> np.ndarray:
    """Return the coefficients, the constant first, by Newton's method."""
    x = np.c_[np.ones(len(x)), x]
    beta = np.zeros(x.shape[1])
    penalty = ridge * np.diag(np.r_[0.0, np.ones(len(beta) - 1)])
    for _ in range(30):
        p = 1 / (1 + np.exp(-x @ beta))
        hessian = (x * (weights * p * (1 - p))[:, None]).T @ x + penalty + 1e-9 * np.eye(len(beta))
        beta -= np.linalg.solve(hessian, x.T @ (weights * (p - y)) + penalty @ beta)
    return beta


def bins(inc: pd.Series, edges: np.ndarray) -> np.ndarray:
    """Return the bin of each inclination."""
    return np.digitize(inc.to_numpy(), edges)


def discriminate(real: pd.DataFrame, mocks: pd.DataFrame) -> float:
    """Return how well mocks are told from real galaxies left out: the area under the ROC curve."""
    names = list(real.columns.drop("inc"))
    x = np.concatenate(scaled(names, pd.concat([real, mocks]), real, mocks))
    x = np.c_[x, x**2 - 1]
    edges = np.array([low for low, _ in BINS[1:]])
    share = np.bincount(bins(real.inc, edges), minlength=5) / np.bincount(bins(mocks.inc, edges), minlength=5)
    y = np.r_[np.ones(len(real)), np.zeros(len(mocks))]
    weights = np.r_[np.ones(len(real)), share[bins(mocks.inc, edges)]]
    fold = np.random.default_rng(0).integers(0, FOLDS, len(y))
    score = np.empty(len(y))
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        score[test] = np.c_[np.ones(test.sum()), x[test]] @ fit_logistic(x[train], y[train], weights[train])
    return larger(score[y == 0], score[y == 1])


def regress(names: list[str], train: pd.DataFrame, test: pd.DataFrame, ridge: float = 0.3) -> np.ndarray:
    """Return the inclinations that a kernel ridge regression trained uniformly in inclination gives `test`."""
    a, b = scaled(names, train, train, test)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        squares = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
        return np.asarray(np.exp(-squares / (4 * len(names))))

    label = bins(train.inc, np.arange(50, 90, 5))
    weights = 1 / np.bincount(label, minlength=9)[label]
    weights /= weights.mean()
    mean = np.average(train.inc, weights=weights)
    alpha = np.linalg.solve(kernel(a, a) + ridge * np.diag(1 / weights), train.inc.to_numpy() - mean)
    return np.asarray(kernel(b, a) @ alpha + mean)


def left_out(names: list[str], sample: pd.DataFrame) -> np.ndarray:
    """Return the inclinations that regressions on the other folds of the same sample give."""
    fold = np.random.default_rng(0).integers(0, FOLDS, len(sample))
    found = np.empty(len(sample))
    for k in range(FOLDS):
        found[fold == k] = regress(names, sample[fold != k], sample[fold == k])
    return found


def print_regressions(real: pd.DataFrame, mocks: pd.DataFrame) -> None:
    """Print bias and RMS of regressions on the statistics."""
    shape = [name for name in real.columns if name.startswith(SHAPE)]
    print_header(["trained → tested", "RMS", "bias", *(f"{low}–{high}" for low, high in BINS)], left=1)
    for title, sample, found in (
        ("mocks → real", real, regress(shape, mocks, real)),
        ("mocks → other mocks", mocks, left_out(shape, mocks)),
        ("real → other real", real, left_out(shape, real)),
    ):
        error = pd.Series(found, sample.index) - sample.inc
        by_bin = [error[(sample.inc >= low) & (sample.inc < high)].mean() for low, high in BINS]
        rms = float(np.sqrt((error**2).mean()))
        print_row([title, f"{rms:.2f}", f"{error.mean():+.2f}", *(f"{bias:+.1f}" for bias in by_bin)])


def main() -> None:
    """Measure both samples and print how they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, default=Path("../shared/data/sdss_ngc"))
    parser.add_argument("--mocks", type=Path)
    parser.add_argument("--galaxies", type=int, default=1500)
    options = parser.parse_args()
    real = measure_sample(options.real / "galaxies", options.real / "catalog.csv", "d25x1.25", 1.25)
    with tempfile.TemporaryDirectory() as name:
        folder = options.mocks or Path(name)
        if options.mocks is None:
            simulate(options.galaxies, folder, seed=5, size=160)
        mocks = measure_sample(folder, folder / "catalog.csv", "d25x2_rot", 2).head(2000)
    print(f"{len(real)} real galaxies, {len(mocks)} mocks")
    print_statistics(real, mocks)
    print_regressions(real, mocks)
    print(f"\nmocks are told from real galaxies with an area under the ROC curve of {discriminate(real, mocks):.3f}")


if __name__ == "__main__":
    main()
