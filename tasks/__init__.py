"""Prefect tasks, one module per stage: fetch inputs, call `inclinet`, store outputs, return a reference."""
