import numpy as np

from inclinet.simulation.stretch import to_colour, to_negatives


def ramp():
    return np.broadcast_to(np.geomspace(0.01, 100, 64, dtype=np.float32), (3, 8, 64))


def test_brighter_is_darker_in_negatives_and_brighter_in_colour():
    white = []
    for seed in range(60):
        gray = to_negatives(ramp(), np.random.default_rng(seed)).astype(int)
        white.append((gray[..., -1] == 255).any())
        if not white[-1]:
            assert (np.diff(gray, axis=-1) <= 0).all()
        colour = to_colour(ramp(), np.random.default_rng(seed)).astype(int)
        assert (np.diff(colour.max(axis=-1), axis=-1) >= 0).all()
    assert 0 < np.sum(white) < 8  # cores that ran over
