"""Inclinations of spiral galaxies from SDSS images."""

import os
from importlib.metadata import version

# TensorFlow's remarks on the processor would drown what its user wants to read.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = version("inclinet")
