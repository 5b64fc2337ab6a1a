"""Prefect tasks, one module a stage: bring the inputs, call `inclinet`, put the outputs, return a reference."""
