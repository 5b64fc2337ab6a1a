"""What a galaxy is here: its catalogue row, image, band, inclination and file names."""
