"""What a run shows while it runs: how far it is, as a bar, and as a page that is rewritten in place.

A page that cannot be written never ends the run that it is about.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
)
from prefect.runtime import flow_run

from inclinet.data.columns import network_name
from inclinet.figures.markdown import assemble, figure, table
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.training.filenames import metrics_file
from inclinet.training.history import metrics_of_step
from inclinet.training.live import draw_errors, duration, error_text
from tasks.common import artifacts
from tasks.train import Session
from tasks.training import Training

__all__ = ["SUMMARY", "CurvePage", "RunPage", "ShownArtifact", "StageProgress", "TrainingPage", "result_of_training"]

SUMMARY = "summary"
"""Key of the artifact with a run's summary; while networks are trained it shows how far they are."""

_SECONDS_BETWEEN_BARS, _SECONDS_BETWEEN_PAGES = 5, 10


class ShownArtifact:
    """An artifact of the whole run, not of one of its tasks, that is rewritten in place.

    A retry of the run goes on with the same one.
    """

    def __init__(self, key: str, kind: str) -> None:
        self._key, self._kind = key, kind
        self._id: UUID | None = None

    def show(self, data: str | float, description: str) -> None:
        """Show something else from now on."""
        try:
            with get_client(sync_client=True) as client:
                self._id = self._id or self._find(client)
                if self._id:
                    client.update_artifact(self._id, ArtifactUpdate(data=data, description=description))
                    return
                what = {"key": self._key, "type": self._kind, "flow_run_id": UUID(str(flow_run.id))}
                self._id = client.create_artifact(ArtifactCreate(**what, data=data, description=description)).id
        except Exception as error:
            get_run_logger().warning("the artifact %s was not updated: %s", self._key, error)

    def _find(self, client: Any) -> UUID | None:
        run = ArtifactFilterFlowRunId(any_=[UUID(str(flow_run.id))])
        only = ArtifactFilter(flow_run_id=run, key=ArtifactFilterKey(any_=[self._key]))
        return next((found.id for found in client.read_artifacts(artifact_filter=only)), None)


class RunPage:
    """How far a run is: a bar with a line of text, and the page that becomes the run's summary."""

    def __init__(self) -> None:
        self._bar, self._page = ShownArtifact("progress", "progress"), ShownArtifact(SUMMARY, "markdown")
        self._due = 0.0

    def progress(self, fraction: float, text: str, *, now: bool = False) -> None:
        """Show how far the present stage is; unless it must be `now`, only every 5 s."""
        if now or time.monotonic() >= self._due:
            self._bar.show(round(100 * fraction, 1), text)
            self._due = time.monotonic() + _SECONDS_BETWEEN_BARS

    def stage(self, stage: str, of: str, total: int) -> "StageProgress":
        """Return the progress of a stage; see `StageProgress`."""
        return StageProgress(self, stage, of, total)

    def page(self, text: str, description: str) -> None:
        """Show a page in Markdown."""
        self._page.show(text, description)


class StageProgress:
    """The progress of a stage that consists of many tasks.

    Parameters
    ----------
    page : RunPage
    stage : str
    of : str
        What is counted, such as `groups of images`.
    total : int
    """

    def __init__(self, page: RunPage, stage: str, of: str, total: int) -> None:
        self._page, self._stage, self._of, self._total = page, stage, of, total
        self._begun = time.monotonic()
        self.done(0)

    def done(self, number: int) -> None:
        """Show that so many are done."""
        left = ""
        if 0 < number < self._total:
            seconds = (time.monotonic() - self._begun) / number * (self._total - number)
            left = f", {duration(seconds)} left"
        text = f"{self._stage}: {number} of {self._total} {self._of}{left}"
        self._page.progress(number / self._total, text, now=number in (0, self._total))


class TrainingPage:
    """The trainings of a run's networks, in its child runs: progress, errors, and a figure of them.

    Parameters
    ----------
    page : RunPage
    runs : mapping of str to sequence of Training
        What each child run trains, one after the other, by the name of the child run.
    """

    def __init__(self, page: RunPage, runs: Mapping[str, Sequence[Training]]) -> None:
        self._page = page
        self._runs = {run: [one.name for one in trainings] for run, trainings in runs.items()}
        self._trainings = {one.name: one for trainings in runs.values() for one in trainings}
        self._records: dict[str, dict[str, dict]] = {name: {} for name in self._trainings}
        self._places = {
            name: f"{one.snapshot_folder()}/{metrics_file(one.subsample, one.model)}"
            for name, one in self._trainings.items()
        }
        self._due = 0.0
        self._began: tuple[float, float] | None = None

    def __call__(self, running: Collection[str]) -> None:
        """Show how far the trainings are; `running` names the child runs that have not ended. Only every 10 s."""
        now = time.monotonic()
        if now < self._due:
            return
        for name, training in self._trainings.items():
            if len(self._records[name]) < training.steps:
                self._read(name)
        left = [name for run in running for name in self._left_of(self._runs[run])]
        fraction = self._fraction(left)
        line = self._line(left) + self._time_left(now, fraction)
        self._page.progress(fraction, f"training: {line}", now=True)
        self._page.page(self._text(left), f"Training: {line}.")
        self._due = time.monotonic() + _SECONDS_BETWEEN_PAGES

    def _read(self, name: str) -> None:
        try:
            self._records[name] = json.loads(artifacts().store.read(self._places[name]))
        except FileNotFoundError:
            pass  # before its first step
        except Exception as error:
            get_run_logger().warning("%s: its metrics were not read: %s", name, error)

    def _left_of(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of a child run's trainings that have not ended; one has when the next one has begun."""
        begun = [number for number, name in enumerate(names) if self._records[name]]
        return names[begun[-1] :] if begun else names

    def _fraction(self, left: Collection[str]) -> float:
        steps = {name: training.steps for name, training in self._trainings.items()}
        return sum(len(self._records[name]) if name in left else steps[name] for name in steps) / sum(steps.values())

    def _line(self, left: Collection[str]) -> str:
        total, begun = len(self._trainings), [name for name in left if self._records[name]]
        done = total - len(left)
        if not begun:
            return f"{done} of {total} networks trained, the next one is about to start"
        if len(begun) > 1:
            return f"{done} of {total} networks trained, {len(begun)} under way"
        [name] = begun
        metrics, steps = self._records[name], self._trainings[name].steps
        return f"network {done + 1} of {total}, step {len(metrics)} of {steps}, {error_text(_last(metrics))}"

    def _time_left(self, now: float, fraction: float) -> str:
        if not 0 < fraction < 1:
            return ""
        # From the first step on: before it, a process starts and a network is built.
        self._began = self._began or (now, fraction)
        since, before = self._began
        if before == fraction:
            return ""
        return f", {duration((now - since) / (fraction - before) * (1 - fraction))} left"

    def _text(self, left: Collection[str]) -> str:
        rows = []
        for name, training in self._trainings.items():
            metrics = self._records[name]
            state = "trained" if name not in left else "in training" if metrics else "waiting"
            error = error_text(_last(metrics)) if metrics else ""
            step = f"{len(metrics)} of {training.steps}"
            rows.append({"network": _network(training), "state": state, "step": step, "error": error})
        curves = {_network(training): self._records[name] for name, training in self._trainings.items()}
        drawn = draw_errors(curves, max(training.steps for training in self._trainings.values()))
        return assemble(
            [
                figure(drawn, "Errors of the networks against the step") if drawn else "",
                table(rows),
                f"As of {datetime.now(UTC):%H:%M:%S} UTC. The summary of the run takes this page's place.",
            ]
        )


def _network(training: Training) -> str:
    return network_name(training.model, training.subsample)


def _last(metrics: Mapping[str, dict]) -> dict:
    return metrics[max(metrics, key=int)]


class CurvePage:
    """The errors of one training so far, on the page of its own run."""

    def __init__(self, session: Session) -> None:
        self._session, self._page = session, ShownArtifact(f"curve-{session.name}", "markdown")
        self._due = 0.0

    def show(self, *, last: bool = False) -> None:
        """Redraw the figure if it is time, or this was the `last` step."""
        if time.monotonic() < self._due and not last:
            return
        session, run = self._session, self._session.run()
        plan = session.training.plan
        metrics = {str(step): metrics_of_step(run.history, step, plan) for step in range(1, run.step + 1)}
        if drawn := draw_errors({_network(session.training): metrics}, session.steps):
            line = f"Step {run.step} of {session.steps}, {error_text(_last(metrics))}."
            self._page.show(assemble([line, figure(drawn, "Errors against the step")]), line)
        self._due = time.monotonic() + _SECONDS_BETWEEN_PAGES


def result_of_training(network: Reference, training: Training) -> str:
    """Return what the training of a network led to, in a clause."""
    name = metrics_file(training.subsample, training.model)
    with temporary_folder("live") as folder:
        [path] = artifacts().fetch(network, folder, [name])
        metrics = json.loads(path.read_text())
    return f"{error_text(_last(metrics))} after {len(metrics)} steps"
