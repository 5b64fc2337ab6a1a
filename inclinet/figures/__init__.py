"""Figures: the look that all of them share, and sheets of small images."""
