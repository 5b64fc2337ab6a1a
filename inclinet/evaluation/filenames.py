"""Names of the files that an evaluation writes."""

from inclinet.networks.filenames import network_stem

__all__ = [
    "CALIBRATION_FILE",
    "METRICS_FILE",
    "METRICS_TABLE_FILE",
    "NOVELTY_FILE",
    "PREDICTIONS_FILE",
    "REPORT_FILE",
    "left_out_predictions_file",
    "predictions_file",
]

PREDICTIONS_FILE, METRICS_FILE, METRICS_TABLE_FILE = "predictions.csv", "metrics.json", "metrics.md"
REPORT_FILE = "report.html"
CALIBRATION_FILE, NOVELTY_FILE = "calibration.json", "novelty.json"
"""The last two are needed to predict with error bars and flags."""


def predictions_file(subsample: int, model: str) -> str:
    """Return the name of the table of one network's predictions for the test set."""
    return f"{network_stem(subsample, model)}_predictions.csv"


def left_out_predictions_file(subsample: int, model: str) -> str:
    """Return the name of the table of one network's predictions for the galaxies that its subsample leaves out."""
    return f"{network_stem(subsample, model)}_left_out.csv"
