"""Galaxies as files hold them: catalogue, images, bands, inclinations, samples and file names."""
