"""Cutouts of galaxies from image servers: by position or by name, in proportion to their size, and turned level."""
