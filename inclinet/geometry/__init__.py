"""Where a galaxy is in its image, how large, how elongated; and how the image is framed on it."""
