"""Statistics of a galaxy's colour image that its inclination, its structure and its survey leave in it.

All are measured in one framing, `SIDE` pixels for 1.25 D25 about the galaxy, bright on dark, so that mocks and real
galaxies can be compared. Lengths are in units of D25 / 2, brightness in grey levels (0 to 255) above the sky.
"""

import math

import cv2
import numpy as np

__all__ = ["FIELD", "SIDE", "measure"]

SIDE = 96
"""Pixels a side of the images that are measured."""

FIELD = 1.25
"""Width of these images in D25."""

_RADIUS = SIDE / FIELD / 2  # D25 / 2 in pixels
_LEVELS = {"15%": 0.15, "30%": 0.3, "60%": 0.6}
_FIXED = {"8": 8.0, "20": 20.0, "50": 50.0, "100": 100.0}


def measure(rgb: np.ndarray) -> dict[str, float]:
    """Measure the galaxy in the middle of a colour image.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (SIDE, SIDE, 3)
        Red, green, blue.

    Returns
    -------
    dict of str to float
        NaN where the galaxy does not reach the brightness that a statistic needs.
    """
    colour = rgb.astype(np.float32)
    gray = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    rim = np.r_[gray[:4].ravel(), gray[-4:].ravel(), gray[:, :4].ravel(), gray[:, -4:].ravel()]
    sky = float(np.median(rim))
    noise = gray - cv2.GaussianBlur(gray, (0, 0), 1.5)
    noise = np.r_[noise[:6].ravel(), noise[-6:].ravel(), noise[:, :6].ravel(), noise[:, -6:].ravel()]
    light = gray - sky
    smooth = cv2.GaussianBlur(light, (0, 0), 1.0)
    middle = smooth[SIDE // 2 - 8 : SIDE // 2 + 8, SIDE // 2 - 8 : SIDE // 2 + 8]
    peak = float(middle.max())
    found = {
        "sky": sky,
        "noise": float(1.48 * np.median(np.abs(noise))),
        "peak": peak,
        "saturated": float((gray > 250).mean()),
    }
    shapes = {name: _isophote(smooth, level * peak) for name, level in _LEVELS.items()}
    shapes |= {name: _isophote(smooth, level) for name, level in _FIXED.items()}
    for name, (a, q, _) in shapes.items():
        found |= {f"size {name}": a, f"ratio {name}": q}
    found["concentration"] = shapes["60%"][0] / shapes["15%"][0]
    frame = shapes["20"][2] if shapes["20"][2] is not None else shapes["15%"][2]
    if frame is None:
        return found
    return found | _inside(light, smooth, colour - np.median(colour[:4], (0, 1)), frame)


def _isophote(smooth: np.ndarray, level: float) -> tuple[float, float, np.ndarray | None]:
    """Return semi-major axis, axis ratio and (x, y, a, b, turn) in pixels of the region above `level` in the middle."""
    bright = (smooth > level).astype(np.uint8)
    _, regions, table, centres = cv2.connectedComponentsWithStats(bright)
    near = [k for k in range(1, len(table)) if math.hypot(*(centres[k] - SIDE / 2)) < 0.35 * _RADIUS]
    if not near:
        return math.nan, math.nan, None
    best = max(near, key=lambda k: table[k, cv2.CC_STAT_AREA])
    y, x = np.nonzero(regions == best)
    if len(x) < 12:
        return math.nan, math.nan, None
    values, vectors = np.linalg.eigh(np.cov(np.stack([x, y])) + np.eye(2) / 12)
    a, b = 2 * np.sqrt(values[::-1])
    turn = math.atan2(vectors[1, 1], vectors[0, 1])
    return a / _RADIUS, b / a, np.array([x.mean(), y.mean(), a, b, turn])


def _inside(light: np.ndarray, smooth: np.ndarray, colour: np.ndarray, frame: np.ndarray) -> dict[str, float]:
    """Return what is measured along the axes and inside of the ellipse `frame`."""
    x0, y0, a, b, turn = frame
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    u = ((x - x0) * math.cos(turn) + (y - y0) * math.sin(turn)).astype(np.float32)
    v = ((y - y0) * math.cos(turn) - (x - x0) * math.sin(turn)).astype(np.float32)
    ellipse = np.hypot(u / a, v / b)
    inside, outer = ellipse < 1, (ellipse > 0.6) & (ellipse < 1)
    found = {}
    for r in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        found[f"major {r}"] = _mean_at(smooth, x0, y0, turn, r * _RADIUS)
        if 0 < r < 0.7:
            found[f"minor {r / 2}"] = _mean_at(smooth, x0, y0, turn + math.pi / 2, r / 2 * _RADIUS)
    # Half the thickness of the outline at 0, 0.5 and 0.8 of the major axis, as shares of that of an ellipse.
    for share in (0.0, 0.5, 0.8):
        across = (np.abs(np.abs(u) - share * a) < 0.06 * a + 0.5) & (smooth > 20) & (ellipse < 1.6)
        width = np.abs(v[across]).mean() * 2 if across.any() else 0.0
        found[f"outline {share}"] = float(width / (b * math.sqrt(1 - share**2)))
    middle = np.abs(u) < 0.3 * a
    weights = np.maximum(smooth, 0) * middle * (ellipse < 1.5)
    found["height"] = float(np.sqrt((weights * v**2).sum() / weights.sum()) / _RADIUS)
    turned = cv2.warpAffine(
        light, np.float32([[-1, 0, 2 * x0], [0, -1, 2 * y0]]), light.shape[::-1], flags=cv2.INTER_LINEAR
    )
    total = np.abs(light[inside]).sum()
    found["asymmetry"] = float(np.abs(light - turned)[inside].sum() / 2 / total)
    mirrored = cv2.remap(
        light,
        np.float32(x0 + u * math.cos(turn) + v * math.sin(turn)),
        np.float32(y0 + u * math.sin(turn) - v * math.cos(turn)),
        cv2.INTER_LINEAR,
    )
    found["dust side"] = float(np.abs(cv2.GaussianBlur(light - mirrored, (0, 0), 2))[inside].sum() / 2 / total)
    found["clumps"] = float(np.abs(light - cv2.GaussianBlur(light, (0, 0), 2.5))[inside & (ellipse > 0.3)].mean())
    found["clumps"] /= float(light[inside & (ellipse > 0.3)].mean())
    for name, part in (("centre", ellipse < 0.25), ("outside", outer)):
        red, green, blue = (colour[..., k][part].mean() for k in range(3))
        found[f"red {name}"] = float((red - blue) / max(red + green + blue, 3))
    found["outer light"] = float(light[outer].mean())
    return found


def _mean_at(smooth: np.ndarray, x0: float, y0: float, turn: float, r: float) -> float:
    """Return the mean brightness at distance `r` on both sides of the centre."""
    values = []
    for sign in (-1, 1):
        x, y = round(x0 + sign * r * math.cos(turn)), round(y0 + sign * r * math.sin(turn))
        if 0 <= x < SIDE and 0 <= y < SIDE:
            values.append(smooth[y, x])
    return float(np.mean(values)) if values else math.nan
