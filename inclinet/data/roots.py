"""What the names of many images tell: the root that most of them share, and their bands."""

from collections import Counter
from collections.abc import Iterable

from inclinet.data.filenames import filter_of, parse_cutout, parse_image

__all__ = ["bands_of", "common_root"]


def common_root(names: Iterable[str]) -> str | None:
    """Return the most common root of names such as `pgc2557_d25x2_rot_gri.png`, here d25x2_rot; None without any."""
    roots = Counter(filter(None, map(_root, names)))
    return roots.most_common(1)[0][0] if roots else None


def _root(name: str) -> str:
    image = parse_cutout(name)
    if image is None:
        return ""
    stem = name[: -len(image.suffix)].removesuffix(".sdss")
    return stem.partition("_")[2].rpartition("_")[0]


def bands_of(names: Iterable[str], imroot: str) -> set[str]:
    """Return the bands that names with a root tell, as they spell them, without words such as mask."""
    found = {image.band for name in names if (image := parse_image(name, imroot)) and image.band}
    return {band for band in found if filter_of(band)}
