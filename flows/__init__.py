"""Prefect flows: what runs after what, and where."""
