"""Predict inclinations of new images with a published version."""
