"""Prefect flows: which tasks run after which, and on which work pool."""
