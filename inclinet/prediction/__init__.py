"""Inclinations of new images from a published version."""
