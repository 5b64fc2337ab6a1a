"""Figures and pages: the look that all figures share, and self-contained HTML pages."""
