"""Trains networks in child runs on the work pool `gpu`; short trainings share a run."""

from collections.abc import Iterable, Mapping, Sequence

from prefect.utilities.annotations import opaque

from flows.children import run_children
from flows.naming import name_of_trainings
from flows.showing import results
from inclinet.errors import InclinetError
from inclinet.storage.artifacts import Reference
from inclinet.storage.code_digest import code_digest
from tasks.live import RunPage, TrainingPage
from tasks.train import find_network_task
from tasks.training import CODE, Training

__all__ = ["group_trainings", "train_networks"]

_SHARED_SECONDS = 300.0  # what a run of several trainings takes at most on two CPU cores, roughly


def train_networks(trainings: Mapping[str, Training], page: RunPage, tags: list[str]) -> dict[str, Reference]:
    """Train the networks that do not exist yet, in child runs; return all of them by name.

    `page` shows the progress; `tags` are those of the child runs.

    Raises
    ------
    InclinetError
        When a child run completed but its network cannot be found.
    """
    networks = _find(trainings, is_new=False)
    missing = {name: training for name, training in trainings.items() if name not in networks}
    groups, code = group_trainings(missing.values()), code_digest(CODE)
    run_children(
        "train/gpu",
        {name: {"trainings": group, "code": code} for name, group in groups.items()},
        {name: ["train", *_tags(group), *tags] for name, group in groups.items()},
        TrainingPage(page, groups),
    )
    made = _find(missing, is_new=True)
    if lost := missing.keys() - made.keys():
        raise InclinetError(
            f"{', '.join(sorted(lost))}: trained, but stored under another key, because the workers of the pools cpu "
            "and gpu run different code; update both to the same version"
        )
    return {name: (networks | made)[name] for name in trainings}


def group_trainings(trainings: Iterable[Training]) -> dict[str, list[Training]]:
    """Return the trainings of each child run, in order, by the name of the run.

    Trainings share a run as long as they take no more than five minutes together. With several workers that loses
    little, and it spares each the start of a process, of Prefect and of Keras: some 15 s.
    """
    groups: list[list[Training]] = []
    for training in trainings:
        if groups and sum(one.seconds for one in (*groups[-1], training)) <= _SHARED_SECONDS:
            groups[-1].append(training)
        else:
            groups.append([training])
    return {name_of_trainings([one.name for one in group]): group for group in groups}


def _tags(group: Sequence[Training]) -> list[str]:
    return list(dict.fromkeys(tag for one in group for tag in (one.model, f"subsample-{one.subsample}")))


def _find(trainings: Mapping[str, Training], is_new: bool) -> dict[str, Reference]:
    """Return the networks that exist, by name; `is_new` says whether this run trained them."""
    found = results({name: find_network_task.submit(opaque(one), is_new) for name, one in trainings.items()})
    return {name: reference for name, reference in found.items() if reference is not None}
