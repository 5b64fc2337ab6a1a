"""Contact sheets: small images side by side, each with its caption."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from inclinet.errors import InclinetError
from inclinet.figures.style import INK, save

__all__ = ["contact_sheet"]


def contact_sheet(images: np.ndarray, captions: Sequence[str], path: str | Path, columns: int = 12) -> Path:
    """Draw small images side by side, each with a caption below.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        RGB images.
    captions : sequence of str, length N
        A short caption for each image, such as ``61° r``; all with as many lines as the first one.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.
    columns : int
        Images in a row.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no image, or `path` has another suffix.
    ValueError
        If `images` has another shape or dtype, `captions` another length, or `columns` is below 1.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images must be uint8 (N, size, size, 3), not {images.dtype} {images.shape}")
    if len(captions) != len(images) or columns < 1:
        raise ValueError(f"{len(captions)} captions for {len(images)} images in {columns} columns")
    if not len(images):
        raise InclinetError(f"{path}: no image to show")
    size = images.shape[1]
    gap, foot = max(1, size // 16), max(1, size * (1 + captions[0].count("\n")) // 5 + size // 16)
    columns = min(columns, len(images))
    sheet, corners = _mosaic(images, columns, gap, foot)
    figure = Figure(figsize=(sheet.shape[1] / size, sheet.shape[0] / size))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(sheet, interpolation="antialiased")
    for (top, left), caption in zip(corners, captions, strict=True):
        axes.text(left + size / 2, top + size + foot / 2, caption, ha="center", va="center", fontsize=8, color=INK)
    return save(figure, path)


def _mosaic(images: np.ndarray, columns: int, gap: int, foot: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return the images side by side on white, and the upper left corner of each (row, column)."""
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    step = height + foot + gap
    sheet = np.full((rows * step + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8)
    corners = []
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = gap + row * step, gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = image
        corners.append((top, left))
    return sheet, corners
