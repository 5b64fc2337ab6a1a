"""Drift of the images of a run of `predict/batch`: on its page, in the store, and as an event."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event

from inclinet.data.inclination import BIN_WIDTH
from inclinet.evaluation.drift import measure_drift
from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.evaluation.predictions import read_predictions
from inclinet.registry.choice import Choice
from tasks.common import artifacts

__all__ = ["DRIFTED", "report_drift"]

DRIFTED = "inclinet.predictions.drifted"
"""Event of predictions whose images, or answers, are unlike those that the version was trained and tested on."""


def report_drift(run: str, chosen: Choice, images: pd.DataFrame) -> None:
    """Compare the predictions of a run with the test set of the version chosen, and say where they have drifted.

    `images` has a row per image. The comparison is written to `predictions/<run>/drift.json`.
    """
    store, version, tested = artifacts().store, chosen.published.version, None
    if PREDICTIONS_FILE in chosen.published.files:
        tested = read_predictions(chosen.fetch(PREDICTIONS_FILE) / PREDICTIONS_FILE)
    drift = measure_drift(images, tested)
    store.write(f"predictions/{run}/drift.json", drift.model_dump_json(indent=1).encode())
    expected: Sequence[float | None] = drift.expected or [None] * len(drift.edges)
    rows: list[dict[str, Any]] = [
        {"": f"{low:.0f} to {low + BIN_WIDTH:.0f} deg", "here": here, "test set": there}
        for low, here, there in zip(drift.edges, drift.inclinations, expected, strict=False)
    ]
    shares: list[dict[str, Any]] = [
        {"": "flagged", "here": drift.flagged, "test set": None},
        {"": "unlike training images", "here": drift.unlike, "test set": 0.02},
    ]
    why = "; ".join(drift.why)
    create_table_artifact([*shares, *rows], key="drift", description=why or "Shares of the images with an answer.")
    if why:
        get_run_logger().warning("the images have drifted: %s", why)
        emit_event(
            DRIFTED,
            {"prefect.resource.id": f"inclinet.model.{version}", "prefect.resource.name": f"version {version}"},
            payload={"run": run, "why": f"{run}, predicted with version {version}: {why}"},
        )
