"""What stands out in a picture, as a small map: no model, no download, a few milliseconds.

Four views are added up, each brought to 0..1: colours that the border of the picture has not; the spectral residual,
which is what a picture's spectrum has beyond the usual (Hou & Zhang, "Saliency Detection: A Spectral Residual
Approach", CVPR 2007); how much detail there is; and colours of skin. The middle of the upper part counts more than the
rest.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Map: TypeAlias = NDArray[np.float64]

SIDE = 96
"""Pixels of the longer side of a map."""

_WEIGHTS = {"contrast": 1.0, "residual": 0.35, "detail": 0.35, "skin": 0.35}
_LEVELS = 6
_PALETTE = 0.02
"""Colours that fill so much of the border are the background's, in a grid of ``_LEVELS`` steps a channel."""
_FAR = 90.0
"""Distance of opponent colours, in steps of 0..255, from which on a colour is simply another one."""
_EDGES = 0.3
"""What the corners of a picture count, compared with the place where heads mostly are."""
_HEADS = 0.3
"""How far down that is, as a share of the height."""


def saliency(image: Image.Image) -> Map:
    """How much each place of an RGB picture stands out: (h, w) values of 0 or more, the longer side ``SIDE`` or less.

    A picture of one colour has the preference for the middle of the upper part alone.
    """
    small = np.asarray(_reduced(image), dtype=np.float64)  # (h, w, 3) of 0..255
    grey = small @ np.array([0.299, 0.587, 0.114])
    views = {
        "contrast": _contrast(small),
        "residual": _residual(grey),
        "detail": _detail(grey),
        "skin": _skin(small),
    }
    total: Map = np.full(grey.shape, 1e-6)
    for name, view in views.items():
        total += _WEIGHTS[name] * view
    return total * _prior(grey.shape)


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(1.0, SIDE / max(image.size))
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.convert("RGB").resize(size, Image.Resampling.BOX)


def _contrast(small: Map) -> Map:
    """Distance of each colour from the nearest one that is frequent at the border."""
    band = max(1, round(0.04 * max(small.shape[:2])))
    # the lower edge is left out: figures are mostly cut off there
    border = np.concatenate([part.reshape(-1, 3) for part in (small[:band], small[:, :band], small[:, -band:])])
    cells = (border * _LEVELS / 256).astype(np.int64) @ np.array([_LEVELS * _LEVELS, _LEVELS, 1])
    nearest: Map = np.full(small.shape[:2], np.inf)
    for cell, count in zip(*np.unique(cells, return_counts=True), strict=True):
        if count >= _PALETTE * len(cells):
            colour = border[cells == cell].mean(axis=0)
            nearest = np.minimum(nearest, np.linalg.norm(_opponent(small) - _opponent(colour), axis=-1))
    return np.clip(nearest / _FAR, 0.0, 1.0)


def _opponent(colours: Map) -> Map:
    """Light, red against green, yellow against blue; light counts half, as it changes with shading."""
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    return np.stack([(red + green + blue) / 6, red - green, (red + green) / 2 - blue], axis=-1)


def _residual(grey: Map) -> Map:
    """Equations 4 to 7 of Hou & Zhang: 3 x 3 mean of the log spectrum, and what rises above it, turned back."""
    spectrum = np.fft.fft2(grey - grey.mean())
    log_amplitude = np.log(np.abs(spectrum) + 1e-9)
    residual = log_amplitude - _blurred(log_amplitude, 1, wrap=True)
    shown = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    return _scaled(_blurred(_blurred(shown, 3), 3)) if grey.std() > 1.0 else np.zeros_like(grey)


def _detail(grey: Map) -> Map:
    down, right = np.gradient(np.pad(grey, 1, mode="edge"))
    steps = np.hypot(down, right)[1:-1, 1:-1]
    return _scaled(_blurred(_blurred(np.minimum(steps, 60.0), 3), 3)) if grey.std() > 1.0 else np.zeros_like(grey)


def _skin(small: Map) -> Map:
    """Pixels in the range of skin colours in YCbCr (Chai & Ngan 1999: Cb 77..127, Cr 133..173), drawn skin too."""
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    mask = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173) & (light >= 80)
    return _blurred(mask.astype(np.float64), 1)


def _prior(shape: tuple[int, ...]) -> Map:
    """1 in the middle of the upper part, ``_EDGES`` far from it; up and down count more than left and right.

    Of a figure that does not fit, the head is what must stay, and heads are seldom in the lower half.
    """
    y = (np.arange(shape[0]) + 0.5) / shape[0] - _HEADS
    x = (np.arange(shape[1]) + 0.5) / shape[1] - 0.5
    distance = np.minimum(1.0, 4 * y[:, None] ** 2 + 2 * x[None, :] ** 2)
    return 1.0 - (1.0 - _EDGES) * distance


def _blurred(values: Map, radius: int, wrap: bool = False) -> Map:
    """The mean over a square of ``2 * radius + 1``."""
    mode: Any = "wrap" if wrap else "edge"
    sums = np.pad(np.cumsum(np.cumsum(np.pad(values, radius, mode=mode), 0), 1), ((1, 0), (1, 0)))
    side = 2 * radius + 1
    inside: Map = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return inside / side**2


def _scaled(values: Map) -> Map:
    """0..1, where 1 is what all but the highest 2 % are below."""
    lowest, highest = values.min(), np.quantile(values, 0.98)
    scaled: Map = np.clip((values - lowest) / max(highest - lowest, 1e-12), 0.0, 1.0)
    return scaled
