"""Files, object stores and artifacts: how bytes are stored, and checked when they are read."""
