"""A large folder shared out over the workers of a pool: child runs predict chunks beside their parent.

Each of these runs takes the next chunk that nobody has claimed, so a fast worker predicts more of them. A claim is an
input of the parent run on the Prefect server, which accepts every key once. A chunk counts as predicted when its
artifact is there, whatever became of the claim: a chunk whose run has ended without making it is claimed anew.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.runtime import flow_run

from flows.children import RESTARTS, cancel_unfinished, start_child, unfinished_children
from inclinet.networks.devices import runs_at_once
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.batch import children_for
from tasks.common import DAMAGED

__all__ = ["Claims", "Sharing", "end_children", "free_places", "order_for"]

_DEPLOYMENT = "predict/share"
_POLL_SECONDS = 1.0
_END_SECONDS = 30.0  # for child runs that are cancelled
_LAST_SECONDS = 10.0  # for child runs that find nothing left to do
_PATIENCE_SECONDS = 60.0  # for the last chunks of child runs; three times as long as the slowest chunk, if that is more
_OCCUPYING = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


def free_places() -> int:
    """Return how many runs more the work pool of this run could execute right now.

    Each worker that is online executes as many runs at a time as its machine has GPUs, and one without a GPU; machines
    are taken to be like this one. The concurrency limit of the pool holds, too; it alone where workers start the runs
    elsewhere (in containers). A run that waits for the pool will take a place. Without a pool there is none.
    """
    with get_client(sync_client=True) as client:
        name = client.read_flow_run(UUID(str(flow_run.id))).work_pool_name
        if name is None:
            return 0
        pool = client.read_work_pool(name)
        online = [one for one in client.read_workers_for_work_pool(name) if one.status == WorkerStatus.ONLINE]
        runs = client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_OCCUPYING))),
        )
    limit, places = pool.concurrency_limit, len(online) * runs_at_once()
    if limit is not None:
        places = min(places, limit) if pool.type == "process" else limit
    return max(0, places - sum(not _is_for_later(run) for run in runs))


def _is_for_later(run: FlowRun) -> bool:
    """Return whether a run is scheduled for a time to come."""
    return run.state.is_scheduled() and (run.expected_start_time or datetime.now(UTC)) > datetime.now(UTC)


def end_children() -> None:
    """Cancel the child runs that a process of this run has left behind when it died, and wait for them to end.

    What they have predicted is found, and not predicted again.
    """
    deadline, run = time.monotonic() + _END_SECONDS, UUID(str(flow_run.id))
    with get_client(sync_client=True) as client:
        cancel_unfinished(client, run, "its parent run was started again")
        while unfinished_children(client, run) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)


def order_for(place: int, places: int, chunks: Sequence[str]) -> list[str]:
    """Return the order in which one of several runs looks for chunks that are free.

    First comes a portion of its own, then those of the others from their ends, so that two runs hardly ever want the
    same chunk. `place` is that of the run among `places`, from 0.
    """
    size = -(-len(chunks) // places)
    portions = [chunks[start : start + size] for start in range(0, places * size, size)]
    others = portions[place + 1 :] + portions[:place]
    return [*portions[place], *(chunk for portion in others for chunk in reversed(portion))]


@dataclass(frozen=True)
class Claims:
    """Which run predicts which chunk.

    Attributes
    ----------
    parent : UUID
        The run that shares its chunks out.
    sharing : str
        Tells this sharing from earlier ones of the same run.
    """

    parent: UUID
    sharing: str

    def read(self, client: SyncPrefectClient, chunks: Collection[str]) -> dict[str, UUID]:
        """Return which run has claimed which of all chunks."""
        prefix = self._key("")
        found = client.filter_flow_run_input(self.parent, prefix, len(chunks), exclude_keys=set())
        return {one.key.removeprefix(prefix): UUID(one.value) for one in found}

    def take(self, client: SyncPrefectClient, chunk: str) -> bool:
        """Claim a chunk for this run; return whether it has it.

        Only to be called for a chunk that nobody seems to have: on SQLite, the server may stand still for a minute
        after it has refused a key.
        """
        own = UUID(str(flow_run.id))
        try:
            client.create_flow_run_input(self.parent, self._key(chunk), str(own))
            return True
        except PrefectHTTPStatusError as error:
            if error.response.status_code != httpx.codes.CONFLICT:
                raise
        # The answer to a first request may have been lost.
        return UUID(client.read_flow_run_input(self.parent, self._key(chunk))) == own

    def give_back(self, client: SyncPrefectClient, chunk: str) -> None:
        """Let a chunk be claimed anew."""
        client.delete_flow_run_input(self.parent, self._key(chunk))

    def _key(self, chunk: str) -> str:
        return f"chunk-{self.sharing}-{chunk}"


class Sharing:
    """The chunks of this run, shared out with child runs; a context manager that starts and ends the child runs.

    A child run that crashes is started again, 3 times at most, if there is enough left to do; what other end it takes
    is only told in the log, because this run predicts whatever is left.

    Parameters
    ----------
    children : int
        Number of child runs; with none, this run predicts all chunks itself.
    parameters : mapping of str to object
        Parameters of each child run besides those that name the chunks' claims.
    """

    def __init__(self, children: int, parameters: Mapping[str, Any]) -> None:
        self._claims = Claims(UUID(str(flow_run.id)), uuid4().hex[:8])
        own = {"parent": str(self._claims.parent), "sharing": self._claims.sharing, "places": children + 1}
        self._parameters = {**parameters, **own}
        self._names = [f"predict-share-{number}" for number in range(1, children + 1)]
        self._running: dict[str, UUID] = {}
        self._crashes: Counter[str] = Counter()

    def __enter__(self) -> "Sharing":
        try:
            for name in self._names:
                self._start(name)
        except ObjectNotFound:
            get_run_logger().warning("no deployment %s: apply prefect.yaml (python -m deployments.deploy)", _DEPLOYMENT)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._names:
            return
        with get_client(sync_client=True) as client:
            if kind is None:
                self._wait_for_last(client)
            cancel_unfinished(client, self._claims.parent, "its parent run has ended")

    def chunks(
        self, chunks: Sequence[str], find: Callable[[str], Reference | None]
    ) -> Iterator[tuple[str, Reference | None]]:
        """Yield each chunk once: with its artifact if a child run has made it, otherwise for this run to predict.

        Parameters
        ----------
        chunks : sequence of str
        find : callable
            Returns the artifact of a chunk, None if it has not been made.

        Raises
        ------
        DamagedArtifactError
            When a child run was given a damaged artifact.
        """
        if not self._names:
            yield from ((chunk, None) for chunk in chunks)
            return
        missing = order_for(0, len(self._names) + 1, chunks)
        slowest, late_from = 0.0, None
        with get_client(sync_client=True) as client:
            while missing:
                self._look(client, len(missing))
                claimed = self._claims.read(client, chunks)
                made = {chunk: found for chunk in missing if chunk in claimed and (found := find(chunk))}
                for chunk, reference in made.items():
                    missing.remove(chunk)
                    yield chunk, reference
                is_late = late_from is not None and time.monotonic() > late_from
                own = self._take(client, missing, claimed, is_late)
                if own is not None:
                    missing.remove(own)
                    begun = time.monotonic()
                    yield own, None
                    slowest = max(slowest, time.monotonic() - begun)
                if own is not None or made:
                    late_from = None
                elif missing:
                    late_from = late_from or time.monotonic() + max(_PATIENCE_SECONDS, 3 * slowest)
                    time.sleep(_POLL_SECONDS)

    def _take(
        self, client: SyncPrefectClient, missing: Sequence[str], claimed: Mapping[str, UUID], is_late: bool
    ) -> str | None:
        """Claim a chunk for this run: one that no run is at or, if the child runs are late, one that they are at."""
        at_work = set() if is_late else set(self._running.values())
        for chunk in missing:
            if chunk in claimed:
                if claimed[chunk] in at_work:
                    continue
                get_run_logger().warning("chunk %s was not predicted by the child run that had it", chunk)
                self._claims.give_back(client, chunk)
            if self._claims.take(client, chunk):
                return chunk
        return None

    def _start(self, name: str) -> None:
        round_of = f"{self._claims.sharing}-"
        parameters = {**self._parameters, "place": self._names.index(name) + 1}
        self._running[name] = start_child(_DEPLOYMENT, name, parameters, ["predict"], round_of)

    def _look(self, client: SyncPrefectClient, missing: int) -> None:
        """See which child runs have ended, and start crashed ones again; `missing` is the number of chunks to do."""
        logger = get_run_logger()
        for name, child in list(self._running.items()):
            state = client.read_flow_run(child).state
            if state is None or not state.is_final():
                continue
            del self._running[name]
            if state.name == DAMAGED:
                raise DamagedArtifactError(str(state.message))
            if not state.is_completed():
                logger.warning("%s (%s: %s)", name, state.name, state.message)
            if state.is_crashed() and self._crashes[name] < RESTARTS and self._is_worth_it(missing):
                self._crashes[name] += 1
                logger.warning("starting %s again", name)
                self._start(name)

    def _is_worth_it(self, missing: int) -> bool:
        return len(self._running) < children_for(missing, len(self._names))

    def _wait_for_last(self, client: SyncPrefectClient) -> None:
        """Give child runs a moment to find that nothing is left to do."""
        deadline = time.monotonic() + _LAST_SECONDS
        while time.monotonic() < deadline:
            if not any(client.read_flow_run(child).state.is_running() for child in self._running.values()):
                return
            time.sleep(_POLL_SECONDS)
