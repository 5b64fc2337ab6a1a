"""The progress of a training run on its page, without a server."""

from types import SimpleNamespace

import pytest

import flows.train as module

METRICS = {"mae": 0.2, "val_mae": 0.4, "left_mae": None}


class FakeRun:
    """A run that stops early after `stops_at` steps, if it gets that far."""

    images_per_second = 1234.0

    def __init__(self, done, stops_at):
        self.step, self.stops_at = done, stops_at

    @property
    def ended(self):
        return self.step >= self.stops_at

    @property
    def stopped_early(self):
        return f"stopped early at step {self.step} of 10" if self.step < 10 else None


@pytest.fixture
def advance(monkeypatch):
    """Take the steps of a fake run of 10 steps; returns all progress shown, as (percent, description)."""

    def go(done, stops_at=10):
        run, shown = FakeRun(done, stops_at), []

        def step(session, number, return_state):
            run.step = number
            return SimpleNamespace(result=lambda: METRICS)

        def show(percent, description):
            shown.append((percent, description))

        monkeypatch.setattr(module, "opaque", lambda value: value)
        monkeypatch.setattr(
            module, "start_training_task", lambda session, return_state: SimpleNamespace(result=lambda: done)
        )
        monkeypatch.setattr(module, "step_task", step)
        monkeypatch.setattr(
            module, "create_progress_artifact", lambda percent, key, description: show(percent, description)
        )
        monkeypatch.setattr(
            module, "update_progress_artifact", lambda artifact, percent, description: show(percent, description)
        )
        monkeypatch.setattr(module, "CurvePage", lambda session: SimpleNamespace(show=lambda last=False: None))
        module._advance(SimpleNamespace(name="model4-0", steps=10, run=lambda: run))
        return shown

    return go


@pytest.mark.parametrize("done", [0, 4, 6])
def test_a_run_that_stops_early_ends_at_100_percent_and_says_so(advance, done):
    assert advance(done, stops_at=6)[-1] == (100, "stopped early at step 6 of 10")


@pytest.mark.parametrize("done", [0, 9])
def test_a_complete_run_ends_at_100_percent(advance, done):
    percent, description = advance(done)[-1]
    assert percent == 100
    assert description.startswith("step 10 of 10, 1,234 images/s, ")


def test_a_run_that_was_complete_already_starts_at_100_percent(advance):
    assert advance(10) == [(100, "10 steps")]


def test_the_description_gives_errors_in_degrees():
    session = SimpleNamespace(steps=10, run=lambda: FakeRun(3, 10))
    expected = "step 3 of 10, 1,234 images/s, 12 min left; MAE: training 4.50 deg, test set 9.00 deg"
    assert module._description(3, session, METRICS, 720) == expected
