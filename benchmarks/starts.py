"""Whether the mean of several networks beats one, as a Markdown table.

python benchmarks/starts.py FILE … --images GALAXIES --catalog CATALOG [options of learning_curve.py]

From each FILE, a network, one more is trained in every fold on all labelled galaxies of the others. Every row has the
error of the mean of the first so many. Below stands how far the errors of single networks correlate.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from learning_curve import build_parser, measure, name_of, prepare
from tables import error_cells, print_header, print_row

from inclinet.evaluation.metrics import ensemble_predictions
from inclinet.registry.start import find_starts

ALL = 10**9  # labelled galaxies


def predict(folder: Path, options: argparse.Namespace) -> pd.DataFrame:
    """Return the prediction (deg) from each start, columns 1, 2 …, and `inc_m`, by `pgc` and `filter`."""
    samples, columns = prepare(folder, options), {}
    for number, file in enumerate(options.files, 1):
        options.seed = number
        start = find_starts(file, [options.model], options.size)[options.model]
        table, _ = measure(samples, folder / f"start-{number}", ALL, options, start)
        table["predicted"] = ensemble_predictions(table)["median of all"]
        indexed = table.set_index(["pgc", "filter"])
        columns |= {number: indexed["predicted"], "inc_m": indexed["inc_m"]}
    return pd.DataFrame(columns).reset_index()


def main() -> None:
    """Print the table."""
    parser = build_parser(__doc__)
    parser.add_argument("files", nargs="+", help="networks to start from")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)) / name_of(options, None)
        folder.mkdir(parents=True, exist_ok=True)
        table = predict(folder, options)
    print_header(["networks", "RMS (95 %)", "MAE", "bias"], left=0)
    numbers = list(range(1, len(options.files) + 1))
    for number in numbers:
        print_row([number, *error_cells(table[numbers[:number]].mean(axis=1), table["inc_m"], table["pgc"])])
    if len(numbers) == 1:
        return
    errors = table[numbers].sub(table["inc_m"], axis=0)
    pairs = errors.corr().to_numpy()[np.triu_indices(len(numbers), 1)]
    print(f"\ncorrelation of errors: {', '.join(f'{pair:.2f}' for pair in pairs)}")


if __name__ == "__main__":
    main()
