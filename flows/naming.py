"""What runs are called: the name that a person gave, or else one that says what the run is about; tags; folders."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, cast
from uuid import UUID

from coolname.data import config
from prefect import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from flows.proposed import ADJECTIVES, ANIMALS, GREEK, PLACES, THINGS
from inclinet.settings import Sample

__all__ = [
    "add_tags",
    "folder_of",
    "folder_of_run",
    "keep_typed",
    "name_of_trainings",
    "rename",
    "sample_name",
    "tags_of",
    "unique",
]

_GENERIC = {"galaxies", "images", "input"}
_LONGEST = 80


def keep_typed(name: Callable[[], str]) -> Callable[[], str]:
    """Return a function for a flow's `flow_run_name`: the name that a person or a parent run gave, or else `name()`.

    Prefect proposes a name of random words for every run, which is told by its words.
    """

    def choose() -> str:
        given = str(flow_run.name or "")
        return name() if is_random(given) else given

    return choose


def is_random(name: str) -> bool:
    """Return whether Prefect has made up a name: its server, such as vegan-poodle, or one of the forms of its UIs."""
    first, _, rest = name.partition("-")
    if first in _random_words("adj_any") and rest in _random_words("subj"):
        return True
    if first in ADJECTIVES and rest in ANIMALS:
        return True
    place, _, thing = rest.rpartition("-")
    is_place = rest in PLACES or (place in PLACES and thing in THINGS)
    return not name or (re.sub(r"\d{1,3}$", "", first) in GREEK and is_place)


@cache
def _random_words(name: str) -> frozenset[str]:
    """Return the words of a list of coolname, which the server takes two of: any adjective and a subject."""
    part = cast(dict[str, dict[str, Any]], config)[name]
    if part["type"] == "words":
        return frozenset(part["words"])
    return frozenset[str]().union(*map(_random_words, part["lists"]))


def rename(name: str) -> None:
    """Give this run another name, for the server and for what follows in this process."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, name=name)
    context.flow_run.name = name


def unique(name: str) -> str:
    """Return a name with the beginning of this run's id, so that no other run has the same."""
    return _unique(name, str(flow_run.id))


def _unique(name: str, run: str) -> str:
    return f"{name}-{run[:8]}"


def folder_of_run() -> str:
    """Return the name of this run's folders in the store, as `folder_of` does."""
    return folder_of(str(flow_run.name), str(flow_run.id))


def folder_of(name: str, run: UUID | str) -> str:
    """Return the name of a run's folders in the store: its own, as far as keys can hold it, made unique by its id."""
    if name.endswith(_unique("", str(run))) and re.fullmatch(r"[\w.-]+", name, flags=re.ASCII):
        return name
    return _unique(re.sub(r"[^\w.]+", "-", name, flags=re.ASCII).strip("-.")[:_LONGEST] or "run", str(run))


def sample_name(images: str) -> str:
    """Return a word for a folder of images: the last part of its path that says something."""
    parts = [part for part in re.split(r"[/\\]+", images.partition("://")[2] or images) if part]
    telling = [part for part in parts if part not in _GENERIC]
    return re.sub(r"[^\w.]+", "-", (telling or parts or ["sample"])[-1], flags=re.ASCII).strip("-.") or "sample"


def tags_of(sample: Sample, size: int) -> list[str]:
    """Return the tags that tell runs apart in lists: the size of the images, and each band."""
    return [f"{size}px", *sample.bands]


def name_of_trainings(names: Sequence[str]) -> str:
    """Return the name of a child run that trains networks, such as `residual-0`, one after the other."""
    more = f"-and-{len(names) - 1}-more" if len(names) > 1 else ""
    return f"train-{names[0]}{more}"


def add_tags(tags: Iterable[str]) -> None:
    """Add tags to this run."""
    run = UUID(str(flow_run.id))
    with get_client(sync_client=True) as client:
        before = client.read_flow_run(run).tags
        client.update_flow_run(run, tags=list(dict.fromkeys([*before, *tags])))
