"""Task that writes the summary of a run: how good its version is, where it fails, and what comes next."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pandas as pd
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.catalog import read_catalog
from inclinet.data.samples import Samples
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.filenames import CALIBRATION_FILE, NOVELTY_FILE, PREDICTIONS_FILE, REPORT_FILE
from inclinet.evaluation.novelty import Novelty
from inclinet.figures.markdown import assemble, escape, figure, picture, table
from inclinet.networks.listing import name_of_network
from inclinet.prediction.examples import examples_table, worst_galaxies
from inclinet.registry.champion import read_champion
from inclinet.registry.headline import headline, verdict
from inclinet.registry.versions import PublishedVersion, find_version
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.training.live import draw_errors
from tasks.common import artifacts, fetch_samples, stage_task
from tasks.filenames import CATALOG_FILE, SKIPPED_FILE, SUMMARY_FILE
from tasks.links import link, links_end, place

__all__ = ["read_summary", "summary_task"]

_ERROR_FIGURE = "error_against_truth.png"
_WORST = 12
_REASONS = 8


@stage_task("summary", "summary")
def summary_task(
    run: str, version: str, samples: dict[str, Reference], catalogue: Reference, decision: str = ""
) -> State:
    """Write the summary of a run to `runs/<run>/summary.md`, from what its index holds.

    `samples` are the split artifacts by stored band; `decision` says what was decided on the version. The message of
    the task is the headline.
    """
    published = find_version(artifacts().store, version)
    page = assemble(_parts(run, published, samples, catalogue, decision))
    artifacts().store.write(f"runs/{run}/{SUMMARY_FILE}", page.encode())
    return Completed(message=headline(published.info.test))


def read_summary(folder: str) -> str:
    """Return the summary in the folder of a run."""
    return artifacts().store.read(f"{folder}/{SUMMARY_FILE}").decode()


def _parts(
    run: str, published: PublishedVersion, samples: dict[str, Reference], catalogue: Reference, decision: str
) -> Iterator[str]:
    """Yield the parts of the summary in their order."""
    champion = read_champion(artifacts().store)
    yield verdict(published.version, published.info, champion.version if champion else None)
    yield escape(decision)
    yield _links(run, published)
    if published.info.test:
        yield _picture(run, _ERROR_FIGURE, "Errors of the predictions against the inclination")
        yield _worst(run, published, samples, catalogue)
    if curves := draw_errors(metrics := _trainings(run), max(map(len, metrics.values()), default=1)):
        yield "### Training"
        yield figure(curves, "Errors of the networks against the step of their trainings")
    yield _skipped(run)
    yield _made(run)


def _links(run: str, published: PublishedVersion) -> str:
    files = [("predictions", f"evaluation/{PREDICTIONS_FILE}"), ("skipped galaxies", f"skipped/{SKIPPED_FILE}")]
    if published.info.test:
        files.insert(0, ("Report", f"evaluation/{REPORT_FILE}"))
    linked = " · ".join(link(text, f"runs/{run}/{name}") for text, name in files)
    info = published.info
    trained = f"Trained on {info.trained_on}, images of {info.size} pixels." if info.trained_on else ""
    return f"{linked}\n\nAll files: `{place(f'runs/{run}/')}`. {links_end()} {trained}".strip()


def _read(run: str, name: str) -> bytes | None:
    try:
        return artifacts().store.read(f"runs/{run}/{name}")
    except FileNotFoundError:
        return None


def _picture(run: str, name: str, alt: str) -> str:
    content = _read(run, f"evaluation/{name}")
    return picture(content, alt) if content else ""


def _worst(run: str, published: PublishedVersion, samples: dict[str, Reference], catalogue: Reference) -> str:
    content = _read(run, f"evaluation/{PREDICTIONS_FILE}")
    if content is None:
        return ""
    images = pd.read_csv(io.BytesIO(content), index_col=0)
    if "inclination" not in images:
        return ""  # without error bars, the networks' answers are not combined in the table
    folds = published.info.test.folds if published.info.test else 0
    kept = _read(run, f"evaluation/{CALIBRATION_FILE}")
    calibration = Calibration.model_validate_json(kept) if kept and not folds else None
    learned = _read(run, f"evaluation/{NOVELTY_FILE}")
    novelty = Novelty.model_validate_json(learned) if learned else None
    with temporary_folder("summary") as folder:
        [path] = artifacts().fetch(catalogue, folder, [CATALOG_FILE])
        side = "train" if folds else "test"
        pictures: Mapping[str, Samples] = fetch_samples(samples, published.info.size, (side, 0), folder)
        worst = worst_galaxies(images, pictures, calibration, read_catalog(path), novelty, _WORST)
    return f"### The {len(worst)} largest errors\n\nTruth → answer.\n\n{examples_table(worst)}"


def _trainings(run: str) -> dict[str, dict]:
    """Return the metrics of each step of the networks' trainings, by network."""
    store, folder, suffix = artifacts().store, f"runs/{run}/models", "_evalDict.json"
    keys = sorted(entry.key for entry in store.list(folder) if entry.key.endswith(suffix))
    return {
        name_of_network(key.rpartition("/")[2].replace(suffix, ".onnx")): json.loads(store.read(key)) for key in keys
    }


def _skipped(run: str) -> str:
    """Return how many galaxies were skipped for which reason."""
    content = _read(run, f"skipped/{SKIPPED_FILE}") or b""
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    if not rows:
        return "### Skipped\n\nNothing: every image and every row of the catalogue was used."
    galaxies: dict[str, list[str]] = {}
    for row in rows:
        galaxies.setdefault(re.sub(r"^\S+\.\w+: ", "", row["reason"]), []).append(row["pgc"])
    reasons = Counter({reason: len(pgcs) for reason, pgcs in galaxies.items()})
    lines = [
        f"- {n:,} × {escape(reason)} (PGC {galaxies[reason][0]}{', …' if n > 1 else ''})"
        for reason, n in reasons.most_common(_REASONS)
    ]
    if len(reasons) > _REASONS:
        lines.append(f"- and {len(reasons) - _REASONS} other reasons")
    return "\n".join(["### Skipped\n", *lines])


def _made(run: str) -> str:
    """Return how many artifacts of each stage were made and reused."""
    rows = list(csv.DictReader(io.StringIO((_read(run, "artifacts.csv") or b"").decode())))
    counts = Counter((row["stage"], row["made"]) for row in rows)
    shown = [
        {"stage": stage, "made": str(counts[stage, "made"]), "reused": str(counts[stage, "reused"])}
        for stage in dict.fromkeys(row["stage"] for row in rows)
    ]
    return f"### Made and reused\n\n{table(shown, ['made', 'reused'])}" if shown else ""
