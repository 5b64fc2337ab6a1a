"""Tasks that record a run: how far its galaxies came, which artifacts it made or reused, and their lineage."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from inclinet.data.bands import band_title
from inclinet.evaluation.filenames import REPORT_FILE
from inclinet.figures.naming import name_page
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.lineage import ancestors, lineage
from tasks.common import artifacts, finished, inputs_of, make_artifact, stage_task
from tasks.filenames import FILES_FILE, SKIPPED_FILE

__all__ = ["Files", "count_galaxies_task", "index_task", "skipped_task"]

Files = Mapping[str, list[Reference]]
"""Artifacts by the folder that a run's index shows their files in."""

_SHOWN_ROWS = 1000
_LOGGED_ROWS = 20


@stage_task("skipped", "skipped")
def skipped_task(tables: dict[str, Reference]) -> State:
    """Gather the tables of skipped galaxies, given by where they were skipped, into one."""
    import pandas as pd

    def gathered() -> pd.DataFrame:
        parts = []
        with temporary_folder("skipped") as folder:
            for name, reference in tables.items():
                [path] = artifacts().fetch(reference, folder / name, [SKIPPED_FILE])
                parts.append(pd.read_csv(path, dtype=str).assign(where=name))
        return pd.concat(parts, ignore_index=True)[["where", "pgc", "reason"]]

    def work(out: Path) -> Mapping[str, int]:
        table = gathered()
        table.to_csv(out / SKIPPED_FILE, index=False)
        return {"skipped": len(table)}

    reference = make_artifact("skipped", "galaxies", inputs=inputs_of(tables), settings=None, work=work)
    with temporary_folder("skipped") as folder:
        [path] = artifacts().fetch(reference, folder, [SKIPPED_FILE])
        rows = pd.read_csv(path, dtype=str, keep_default_na=False).head(_SHOWN_ROWS)
        for row in rows.head(_LOGGED_ROWS).itertuples():
            get_run_logger().warning("skipped in %s: PGC %s: %s", row.where, row.pgc, row.reason)
        create_table_artifact(
            [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False)],
            key="skipped",
            description=f"{reference.facts['skipped']} galaxies skipped, by band and stage, with the reason.",
        )
    return finished(reference)


def _counts(band: str, listing: Reference, prepared: Iterable[Reference], sample: Reference) -> dict[str, str | int]:
    """Return how many images of one band reached each stage."""
    images = sum(reference.facts["images"] for reference in prepared)
    train, test = sample.facts["train"], sample.facts["test"]
    return {
        "band": band,
        "images found": listing.facts["found"],
        "skipped": listing.facts["found"] - images,
        "downsampled": images,
        "training": train,
        "test": test,
        "below 45 deg or rejected": images - train - test,
    }


@stage_task("galaxies", "galaxies")
def count_galaxies_task(
    run: str,
    listings: dict[str, Reference],
    prepared: dict[str, list[Reference]],
    samples: dict[str, Reference],
) -> State:
    """Count the images of each band that were found and that reached each stage, on the run's page and in the store."""
    rows = [_counts(band, listings[band], prepared[band], samples[band]) for band in listings]
    create_table_artifact(
        [row | {"band": band_title(str(row["band"]))} for row in rows],
        key="galaxies",
        description="Images of each band: how many were found, and how many reached each stage.",
    )
    artifacts().store.write(f"runs/{run}/galaxies.csv", _csv(rows))
    return Completed(message=f"runs/{run}/galaxies.csv")


def _csv(rows: list[dict]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _write_lineage(run: str, files: Files, references: Iterable[Reference], made: Mapping[str, Mapping]) -> None:
    """Write what every artifact of the run was made from, and for each network which images and catalogue."""
    inventories = {reference.key: reference for reference in references if reference.stage == "inventory"}
    catalogues = {reference.key for reference in references if reference.stage == "catalogue"}
    networks = {}
    for network in files["models"]:
        sources = ancestors(made, network.key)
        networks[network.name] = {
            "artifact": network.key,
            "made of": sources,
            "images": [f"{inventories[key].folder}/{FILES_FILE}" for key in sources if key in inventories],
            "catalogue": [made[key]["inputs"]["catalogue"]["digest"] for key in sources if key in catalogues],
        }
    content = json.dumps({"networks": networks, "artifacts": made}, indent=1).encode()
    artifacts().store.write(f"runs/{run}/lineage.json", content)


def _write_artifacts(run: str, references: Iterable[Reference], made: Mapping[str, Mapping]) -> None:
    """Write which artifacts the run made, in any of its attempts, and which it reused; show the counts on its page."""
    this_run = str(flow_run.root_flow_run_id)
    rows = [
        {
            "stage": reference.stage,
            "name": reference.name,
            "made": "made" if made[reference.key]["run"] == this_run else "reused",
            "key": reference.key,
            "digest": reference.digest,
        }
        for reference in references
    ]
    artifacts().store.write(f"runs/{run}/artifacts.csv", _csv(rows))
    counts = Counter((row["stage"], row["made"]) for row in rows)
    create_table_artifact(
        [
            {"stage": stage, "made": counts[stage, "made"], "reused": counts[stage, "reused"]}
            for stage in dict.fromkeys(row["stage"] for row in rows)
        ],
        key="artifacts",
        description=f"Artifacts made and reused, by stage. runs/{run}/artifacts.csv lists them, and "
        f"runs/{run}/lineage.json what each was made from.",
    )


@stage_task("index", "index")
def index_task(run: str, files: dict[str, list[Reference]], copied: list[str], about: dict[str, str]) -> State:
    """Write the index of a run under `runs/<run>/`: where its files are, what it made, and from what.

    `index.json` gives the key in the store of each file, by folder and file name; the files of the folders `copied`
    are copied next to it, and the report among them is told the facts `about` the run. `artifacts.csv` lists what was
    made and reused, `lineage.json` what it was made from.
    """
    store = artifacts().store
    places = {
        f"{folder}/{name}": f"{reference.folder}/{name}"
        for folder, references in files.items()
        for reference in references
        for name in reference.files
    }
    for folder in copied:
        with temporary_folder("index") as local:
            for reference in files[folder]:
                for path in artifacts().fetch(reference, local):
                    if path.name == REPORT_FILE:
                        name_page(path, {"Run": run, "Finished": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", **about})
                    store.put(path, f"runs/{run}/{folder}/{path.name}")
    references = list({reference.key: reference for several in files.values() for reference in several}.values())
    made = lineage(artifacts(), references)
    _write_lineage(run, files, references, made)
    _write_artifacts(run, references, made)
    store.write(f"runs/{run}/index.json", json.dumps(places, indent=1).encode())
    return Completed(message=f"runs/{run}/index.json ({len(places)} files)")
