"""Files, stores and artifacts: how bytes are kept, and checked when read."""
