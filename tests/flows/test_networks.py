"""Which trainings share a child run."""

import pytest

from flows.networks import group_trainings
from inclinet.settings import Train
from inclinet.storage.artifacts import Reference
from tasks.training import Training


def training(k, images, model="residual", size=64):
    batch = Reference("artifacts/augment/1", "0", {}, {"images": images})
    how = Train(N_batch_iter=10)
    where = {"batches": [batch], "validation": None, "left_out": None, "samples": {}}
    return Training(model=model, subsample=k, size=size, settings=how, **where)


@pytest.mark.parametrize(
    ("trainings", "runs"),
    [
        ([], {}),
        ([training(0, 1_000)], {"train-residual-0": 1}),
        ([training(k, 1_000) for k in range(3)], {"train-residual-0-and-2-more": 3}),
        # Ten passes of 10,000 images take 220 s.
        ([training(k, 10_000) for k in range(2)], {"train-residual-0": 1, "train-residual-1": 1}),
        (
            [training(0, 10_000), training(1, 1_000), training(2, 10_000)],
            {"train-residual-0-and-1-more": 2, "train-residual-2": 1},
        ),
        ([training(0, 1_000, "model5"), training(1, 1_000)], {"train-model5-0": 1, "train-residual-1": 1}),
        ([training(k, 1_000, size=256) for k in range(2)], {"train-residual-0": 1, "train-residual-1": 1}),
    ],
    ids=["none", "one", "short", "long", "mixed", "a large network", "large images"],
)
def test_short_trainings_share_a_run(trainings, runs):
    groups = group_trainings(trainings)
    assert {name: len(group) for name, group in groups.items()} == runs
    assert [one for group in groups.values() for one in group] == trainings
