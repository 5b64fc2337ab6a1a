"""Mock spiral galaxies of known inclination."""
