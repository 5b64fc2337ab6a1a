"""Put the server together: networks, pages, and the galaxies that people label."""

from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from inclinet.progress import Track, silent
from inclinet.registry.choice import Choice
from inclinet.serve.application import make_application
from inclinet.serve.candidates import find_candidates
from inclinet.serve.engine import Engine
from inclinet.serve.labelling import add_labelling
from inclinet.serve.labels import LabelBook
from inclinet.serve.metrics import Metrics
from inclinet.serve.settings import Serve

__all__ = ["Application", "open_application"]

LABELS_FILE = "labels.csv"


@dataclass(frozen=True)
class Application:
    """The web application, and the line about the version that answers."""

    app: FastAPI
    statement: str


def open_application(
    choice: Choice, settings: Serve, label: Path | None = None, out: Path | None = None, track: Track = silent
) -> Application:
    """Load the networks and return the application.

    Parameters
    ----------
    choice : Choice
    settings : Serve
    label : Path, optional
        Folder of images that people label.
    out : Path, optional
        Catalogue of their labels; by default `labels.csv` in that folder.
    track : Track
        Shows the progress over the images of that folder.

    Raises
    ------
    InclinetError
        When the version cannot be loaded, the folder holds no image that can be used, or the catalogue is another one.
    """
    metrics = Metrics()
    engine = Engine(choice, settings, metrics, labelling=label is not None)
    if label is None:
        return Application(make_application(engine, settings, metrics), engine.predictor.statement)
    candidates = find_candidates(label, engine.predictor, track)
    book = LabelBook(out or label / LABELS_FILE, {key: one.galaxy for key, one in candidates.items()})
    app = make_application(engine, settings, metrics, lambda app: add_labelling(app, engine, candidates, book))
    return Application(app, engine.predictor.statement)
