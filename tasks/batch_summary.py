"""The summary of a run of `predict/batch`: by which version, how many answers and flags, and some galaxies."""

import io
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from inclinet.data.bands import COLOUR_LETTER
from inclinet.data.content import BadImageError
from inclinet.data.filenames import parse_cutout
from inclinet.data.images import open_image, square
from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.figures.markdown import assemble, escape, figure
from inclinet.figures.page import Card
from inclinet.prediction.distribution import draw_answers
from inclinet.prediction.examples import choose_answers, examples_table
from inclinet.prediction.flags import FLAGS
from inclinet.prediction.galaxies import title_of
from inclinet.storage.store import Store
from tasks.filenames import IMAGES_TABLE_FILE
from tasks.links import link, links_end, place

__all__ = ["batch_headline", "batch_summary"]

_EXAMPLES = 12
_REASONS = 5


def batch_headline(galaxies: pd.DataFrame) -> str:
    """Return how many galaxies have an answer, how many of these a flag, and how many have none."""
    answered = galaxies["inclination"].notna()
    flagged = int((answered & (galaxies["flag"] != "")).sum())
    missing = int((~answered).sum())
    text = f"{answered.sum():,} galaxies predicted, {flagged:,} of them flagged"
    return f"{text}, {missing:,} not predicted" if missing else text


def batch_summary(folder: str, galaxies: pd.DataFrame, images: int, statement: str, store: Store) -> str:
    """Return the summary, in Markdown.

    Parameters
    ----------
    folder : str
        Key of the folder of the tables.
    galaxies : DataFrame
        The table by galaxy.
    images : int
        How many images there were.
    statement : str
        That of the version.
    store : Store
        Store of the images.
    """
    return assemble(_parts(folder, galaxies, images, statement, store))


def _parts(folder: str, galaxies: pd.DataFrame, images: int, statement: str, store: Store) -> Iterator[str]:
    yield f"**{batch_headline(galaxies)}**, from {images:,} images, by {escape(statement)}."
    tables = {"Table of galaxies": PREDICTIONS_FILE, "table of images": IMAGES_TABLE_FILE}
    links = " · ".join(link(text, f"{folder}/{name}") for text, name in tables.items())
    yield f"{links}\n\nBoth are in `{place(folder)}/`. {links_end()}"
    if galaxies["inclination"].notna().any():
        yield figure(draw_answers(galaxies), "Distribution of the inclinations")
        yield "### Some of the galaxies\n\nFlagged ones first."
        yield examples_table(_example(row, store) for row in choose_answers(galaxies, _EXAMPLES).to_dict("records"))
    yield _flags(galaxies)
    yield _problems(galaxies)


def _example(row: dict, store: Store) -> Card:
    error = "" if pd.isna(row["error"]) else f" ± {row['error']:.0f}"
    title = title_of(row["galaxy"], row["images"])
    return Card(title, _pixels(row["images"], store), [f"{row['inclination']:.0f}{error}°"], row["flag"])


def _pixels(images: str, store: Store) -> np.ndarray | None:
    """Return the image of a galaxy; of several, the one in colour, or else the first that can be read."""
    for address in sorted(images.split("; "), key=_is_gray):
        try:
            content = store.read(address.removeprefix(f"{store.uri}/"))
            return np.asarray(square(open_image(io.BytesIO(content), None)))
        except (FileNotFoundError, BadImageError):
            continue
    return None


def _is_gray(address: str) -> bool:
    image = parse_cutout(address.rpartition("/")[2])
    return image is None or image.filter != COLOUR_LETTER


def _flags(galaxies: pd.DataFrame) -> str:
    flags = Counter(flag for several in galaxies["flag"] for flag in several.split("; ") if flag)
    if not flags:
        return ""
    lines = [
        f"- {n:,} × **{escape(flag)}**: {escape(FLAGS.get(flag, 'no longer known'))}" for flag, n in flags.most_common()
    ]
    return "\n".join(["### Flags\n", *lines])


def _problems(galaxies: pd.DataFrame) -> str:
    problems = Counter(problem for problem in galaxies.loc[galaxies["inclination"].isna(), "problem"])
    if not problems:
        return ""
    lines = [f"- {n:,} × {escape(reason)}" for reason, n in problems.most_common(_REASONS)]
    return "\n".join(["### Not predicted\n", *lines])
