"""Cross-validation: the predictions of networks that each left out another part of the galaxies, put together."""

from collections.abc import Mapping

import pandas as pd

from inclinet.data.columns import network_name, parse_network_name, spread_column
from inclinet.evaluation.predictions import merge_predictions

__all__ = ["count_folds", "pool_folds"]


def count_folds(test: pd.DataFrame, left_out: Mapping[str, pd.DataFrame]) -> int:
    """Return the number of folds, 0 if this is no cross-validation.

    It is one if there is no test set, and no galaxy was left out by two subsamples.

    Parameters
    ----------
    test : DataFrame
        Predictions for the test set.
    left_out : mapping of str to DataFrame
        Predictions of each network for the galaxies that it left out.
    """
    folds: dict[int, set[int]] = {}
    for name, table in left_out.items():
        if subsample := parse_network_name(name)[1]:
            folds.setdefault(subsample, set()).update(table["pgc"].tolist())
    galaxies = sum(map(len, folds.values()))
    is_disjoint = len(folds) > 1 and len(set().union(*folds.values())) == galaxies
    return len(folds) if test.empty and is_disjoint else 0


def pool_folds(left_out: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of every galaxy by the networks that left it out, one column for each architecture.

    The columns are named after the networks of subsample 0, which are trained on all galaxies: what the networks of the
    folds show of their error is an upper limit, as they are trained on fewer.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    for name, table in left_out.items():
        model, subsample = parse_network_name(name)
        if subsample:
            whole = network_name(model, 0)
            names = {name: whole, spread_column(name): spread_column(whole)}
            parts.setdefault(model, []).append(table.rename(columns=names))
    return merge_predictions(pd.concat(tables, ignore_index=True) for tables in parts.values())
