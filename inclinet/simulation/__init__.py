"""Mock spiral galaxies of known inclination, as an imaging survey would deliver them."""
