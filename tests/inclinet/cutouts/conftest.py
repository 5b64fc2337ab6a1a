"""Settings that ask the stand-in quickly."""

from inclinet.cutouts.settings import Cutouts

QUICK = Cutouts(pixels=128, rate=100, backoff=0.01, attempts=3, timeout=5)
