"""Which run a folder of snapshots, and the network made from them, belong to."""

import json
from pathlib import Path
from typing import Any

from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file
from inclinet.storage.atomic import write_text
from inclinet.training.filenames import checkpoint_folder, parse_snapshot
from inclinet.training.plan import Plan

__all__ = ["check_same_run", "check_trained"]

_FILE = "settings.json"

_DATA = {
    "batches": ("other stored batches", "augmented"),
    "samples": ("other samples", "samples"),
    "start": ("another network to start from", "start"),
    "label_errors": ("other errors of labels", "catalog"),
}
"""How an error names data that changed, and the setting to change."""


def check_same_run(folder: Path, identity: dict[str, Any]) -> None:
    """Note which run a folder of snapshots belongs to; refuse a folder that belongs to another run.

    Raises
    ------
    InclinetError
        When the folder holds the snapshots of a run with other settings or data, or of an unknown one.
    """
    file = folder / _FILE
    if not any(parse_snapshot(path.name) for path in folder.iterdir()):
        write_text(file, json.dumps(identity, indent=1))
        return
    noted = _read_identity(file)
    changed = [name for name, value in identity.items() if noted.get(name, value) != value]
    if changed:
        words = [f"{name} {noted[name]} → {identity[name]}" for name in changed if name not in _DATA]
        words += [_DATA[name][0] for name in changed if name in _DATA]
        raise InclinetError(
            f"{folder}: holds the snapshots of a run with other settings or data ({', '.join(words)}): use those "
            "again, write to another folder, or set restart to start again",
            setting=_DATA[changed[0]][1] if changed[0] in _DATA else changed[0],
        )
    if noted.keys() != identity.keys():
        raise InclinetError(
            f"{folder}: it is not known which settings and data its snapshots belong to: write to another folder, "
            "or set restart to start again",
            setting="restart",
        )


def _read_identity(file: Path) -> dict[str, Any]:
    try:
        noted = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def check_trained(outmodels: Path, plan: Plan) -> None:
    """Check that a network is trained, with the settings of a plan.

    Raises
    ------
    InclinetError
        When it is not there, or was trained with others.
    """
    file = outmodels / network_file(plan.subsample, plan.model)
    if not file.is_file():
        raise InclinetError(f"{file}: this network is not trained yet", setting="subsample")
    noted, wanted = _read_identity(outmodels / checkpoint_folder(plan.subsample, plan.model) / _FILE), plan.identity()
    changed = [name for name, value in wanted.items() if noted.get(name, value) != value]
    if changed:
        words = ", ".join(f"{name} {noted[name]}, not {wanted[name]}" for name in changed)
        raise InclinetError(f"{file}: was trained with {words}: give the same settings", setting=changed[0])
