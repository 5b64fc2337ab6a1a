"""Where the flows run: the service on one machine, its demo, and templates of GPU work pools."""

import os

# Prefect, when it is imported, would send telemetry, and print a notice of it among the lines of the first `make demo`.
os.environ.setdefault("DO_NOT_TRACK", "1")
