"""Draws a character in a scene: a chibi figure made of large plain shapes, readable in 64 x 64 pixels.

Shapes are given in units: the shorter side of a picture is 64 units long whatever its size in pixels. Everything is
drawn enlarged and then reduced, which smooths the edges.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import TypeAlias

from PIL import Image, ImageDraw

from train_gamma.demo.world import Character, Scene

Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

UNITS = 64
_ENLARGED = 4

_HAIR: dict[str, Colour] = {
    "black": (44, 42, 56),
    "blonde": (250, 214, 84),
    "red": (214, 40, 46),
    "pink": (255, 150, 196),
    "blue": (44, 92, 224),
    "green": (36, 158, 70),
    "purple": (140, 62, 190),
    "white": (244, 244, 250),
}
_EYES: dict[str, Colour] = {
    "red": (226, 20, 30),
    "blue": (20, 90, 240),
    "green": (20, 160, 50),
    "yellow": (255, 205, 0),
    "purple": (150, 40, 210),
}
_SKIN: dict[str, Colour] = {
    "pale": (255, 224, 200),
    "dark": (140, 84, 52),
    "blue": (126, 188, 250),
    "green": (150, 220, 120),
}
_DRESS: dict[str, Colour] = {
    "red": (220, 36, 48),
    "blue": (40, 80, 220),
    "green": (24, 140, 60),
    "yellow": (252, 204, 40),
    "purple": (136, 56, 188),
    "black": (40, 38, 48),
}
_SCARF: dict[str, Colour] = {
    "red": (228, 30, 40),
    "blue": (40, 96, 236),
    "yellow": (255, 210, 40),
    "white": (250, 250, 252),
}
_WHITE: Colour = (255, 255, 255)
_GOLD: Colour = (252, 200, 48)
_INK: Colour = (40, 28, 40)


def _shade(colour: Colour, factor: float) -> Colour:
    """Darken a colour, or lighten it when the factor is above one."""
    if factor <= 1:
        return (int(colour[0] * factor), int(colour[1] * factor), int(colour[2] * factor))
    part = factor - 1
    return (
        int(colour[0] + (255 - colour[0]) * part),
        int(colour[1] + (255 - colour[1]) * part),
        int(colour[2] + (255 - colour[2]) * part),
    )


class _Pen:
    """Draws shapes that are given in units around a point of the picture, enlarged and turned."""

    def __init__(self, image: Image.Image, centre: Point, scale: float, turn: float = 0.0) -> None:
        self._draw = ImageDraw.Draw(image)
        self._centre = centre
        self._scale = scale
        self._cos, self._sin = math.cos(turn), math.sin(turn)

    def _place(self, point: Point) -> Point:
        x, y = point
        return (
            self._centre[0] + self._scale * (x * self._cos - y * self._sin),
            self._centre[1] + self._scale * (x * self._sin + y * self._cos),
        )

    def shape(self, points: Sequence[Point], fill: Colour, line: float = 0.8, ink: Colour | None = None) -> None:
        """Draw a filled polygon with an outline."""
        placed = [self._place(point) for point in points]
        self._draw.polygon(placed, fill=fill)
        if line > 0:
            width = max(1, round(line * self._scale))
            self._draw.line([*placed, placed[0], placed[1]], fill=ink or _shade(fill, 0.55), width=width, joint="curve")

    def oval(
        self,
        centre: Point,
        radii: Point,
        fill: Colour,
        line: float = 0.8,
        ink: Colour | None = None,
        span: Point = (0.0, 360.0),
    ) -> None:
        """Draw a filled oval, or the part of it between two angles (clockwise from the right)."""
        start, end = (math.radians(angle) for angle in span)
        steps = 28
        angles = [start + (end - start) * step / steps for step in range(steps + 1)]
        points = [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]
        self.shape(points, fill, line, ink)

    def line(self, points: Sequence[Point], fill: Colour, width: float) -> None:
        """Draw a line through points."""
        placed = [self._place(point) for point in points]
        self._draw.line(placed, fill=fill, width=max(1, round(width * self._scale)), joint="curve")


def _gradient(image: Image.Image, top: Colour, bottom: Colour) -> None:
    column = Image.new("RGB", (1, 2))
    column.putpixel((0, 0), top)
    column.putpixel((0, 1), bottom)
    image.paste(column.resize(image.size, Image.Resampling.BILINEAR))


def _draw_background(image: Image.Image, kind: str, scale: float, rng: random.Random) -> None:
    width, height = image.size[0] / scale, image.size[1] / scale
    pen = _Pen(image, (0.0, 0.0), scale)
    shift = rng.uniform(-3, 3)
    if kind == "sky":
        _gradient(image, (96, 176, 250), (196, 230, 255))
        for share in (0.1, 0.85):
            x, y = width * share + rng.uniform(-4, 4), height * 0.14 + rng.uniform(-2, 5)
            for dx, radius in ((-5, 4), (0, 5.5), (6, 4)):
                pen.oval((x + dx, y), (radius, radius * 0.8), _WHITE, line=0)
        pen.shape([(0, height), (0, height - 9), (width, height - 9), (width, height)], (120, 204, 96), line=0)
    elif kind == "night":
        _gradient(image, (14, 14, 52), (40, 40, 100))
        pen.oval((9 + shift, 10), (5.5, 5.5), (255, 244, 176), line=0)
        for _ in range(int(width * height / 220)):
            pen.oval((rng.uniform(0, width), rng.uniform(0, height)), (0.8, 0.8), (240, 240, 255), line=0)
    elif kind == "sunset":
        _gradient(image, (240, 92, 72), (255, 196, 110))
        pen.oval((width - 12 + shift, height * 0.62), (9, 9), (255, 236, 150), line=0)
        level = height * 0.7
        pen.shape([(0, height), (0, level), (width, level), (width, height)], (92, 84, 160), line=0)
    elif kind == "forest":
        _gradient(image, (176, 224, 160), (120, 190, 110))
        x = shift - 4
        while x < width + 8:
            pen.shape([(x - 2, height), (x - 2, 20), (x + 2, 20), (x + 2, height)], (110, 74, 44), line=0)
            pen.oval((x, 14 + rng.uniform(-2, 2)), (9.5, 13), (30, 104, 60), line=0.6)
            x += 15
    else:
        _gradient(image, (250, 250, 252), (232, 232, 240))


def _draw_hair_behind(pen: _Pen, style: str, colour: Colour) -> None:
    back = _shade(colour, 0.86)
    if style == "long":
        outline = [(-15, -14), (-19, 4), (-21, 24), (-19, 33), (19, 33), (21, 24), (19, 4), (15, -14)]
        pen.shape(outline, back)
    elif style == "twintails":
        for side in (-1, 1):
            outline = [(15, -10), (23, -10), (29, 2), (28, 16), (23, 25), (20, 14), (17, 2)]
            pen.shape([(side * x, y) for x, y in outline], back)
            pen.oval((side * 16.5, -6), (2.6, 3.4), _WHITE)
    pen.oval((0, -2), (17, 15.5), back)


def _draw_body(pen: _Pen, character: Character) -> None:
    skin, dress = _SKIN[character["skin"]], _DRESS[character["dress_colour"]]
    ink = _shade(dress, 0.5)
    outline = [(-7, 13), (-13, 15), (-17, 27), (-24, 62), (24, 62), (17, 27), (13, 15), (7, 13)]
    pen.shape(outline, dress, line=0)
    mark = (84, 44, 20) if character["dress_colour"] == "yellow" else _WHITE
    pattern = character["dress_pattern"]
    if pattern == "stripes":
        for top in (20.0, 28.5, 37.0, 45.5, 54.0):
            half = [13 + (y - 15) / 3 if y < 27 else 17 + (y - 27) / 5 for y in (top, top + 4.2)]
            pen.shape([(-half[0], top), (half[0], top), (half[1], top + 4.2), (-half[1], top + 4.2)], mark, line=0)
    elif pattern == "dots":
        for row, y in enumerate((20.5, 28.5, 36.5, 44.5, 52.5)):
            for x in (-9.4, 0.0, 9.4) if row % 2 == 0 else (-13.5, -4.7, 4.7, 13.5):
                pen.oval((x, y), (2.9, 2.9), mark, line=0)
    elif pattern == "heart":
        points = []
        for step in range(30):
            angle = 2 * math.pi * step / 30
            x = 16 * math.sin(angle) ** 3
            y = 13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle)
            points.append((x * 0.52 - 0.5, 24.2 - y * 0.52))
        pen.shape(points, mark, line=0)
    pen.line([*outline, outline[0]], ink, 0.9)
    pen.shape([(-3, 9), (-3, 14), (3, 14), (3, 9)], skin)


def _draw_arms(pen: _Pen, character: Character, holding: bool) -> None:
    skin, dress = _SKIN[character["skin"]], _shade(_DRESS[character["dress_colour"]], 0.86)
    pen.shape([(-13, 15), (-19, 30), (-16, 33), (-11, 20)], dress)
    pen.oval((-18, 32), (2.8, 2.8), skin)
    if holding:
        pen.shape([(13, 15), (22, 21), (20, 26), (12, 22)], dress)
    else:
        pen.shape([(13, 15), (19, 30), (16, 33), (11, 20)], dress)
        pen.oval((18, 32), (2.8, 2.8), skin)


def _draw_scarf(pen: _Pen, colour: str) -> None:
    if colour == "none":
        return
    fill = _SCARF[colour]
    ink = _shade(fill, 0.5)
    pen.shape([(7.5, 13), (8.5, 27), (15, 26), (13.5, 12)], _shade(fill, 0.9), ink=ink)
    pen.shape([(-13, 9.5), (-13.5, 14), (-8, 17.5), (8, 17.5), (13.5, 14), (13, 9.5), (0, 12)], fill, ink=ink)


def _draw_face(pen: _Pen, character: Character, pose: str) -> None:
    skin, iris = _SKIN[character["skin"]], _EYES[character["eye_colour"]]
    look = -3.2 if pose == "side" else 0.0
    pen.oval((0, 0), (14.5, 12.5), skin)
    for side in (-1, 1):
        x = side * 6.6 + look
        radii = (4.3, 5.7)
        pen.oval((x, 2.2), radii, _WHITE, line=0.9, ink=_INK)
        x += look * 0.35
        pen.oval((x, 2.4), (3.9, 5.3), iris, line=0)
        pen.oval((x, 3.0), (1.3, 2.2), _shade(iris, 0.25), line=0)
        pen.oval((x - 1.5, 0.0), (1.3, 1.5), _WHITE, line=0)
        pen.line(
            [(side * 6.6 + look - 4.4, -1.6), (side * 6.6 + look, -3.9), (side * 6.6 + look + 4.4, -1.6)], _INK, 1.2
        )
        pen.oval((side * 10.6 + look, 8.0), (2.0, 1.1), _shade((255, 100, 110), 1.1), line=0)
    pen.line([(-1.8 + look, 9.0), (look, 9.9), (1.8 + look, 9.0)], _INK, 0.9)


def _draw_fringe(pen: _Pen, style: str, colour: Colour) -> None:
    lock = 8.0 if style == "short" else 2.0
    outline: list[Point] = [(-16.5, lock), (-17.2, -3)]
    for step in range(13):
        angle = math.pi + math.pi * step / 12
        outline.append((17 * math.cos(angle), -3 + 14.8 * math.sin(angle)))
    outline += [
        (17.2, -3),
        (16.5, lock),
        (12.8, -3),
        (8, -7),
        (4.5, -3.6),
        (0, -7.6),
        (-4.5, -3.6),
        (-8, -7),
        (-12.8, -3),
    ]
    pen.shape(outline, colour)
    pen.line([(-9, -12.5), (-4, -14.5), (1, -14.8)], _shade(colour, 1.5), 1.3)


def _draw_hat(pen: _Pen, hat: str, hair: Colour) -> None:
    if hat == "bow":
        red = (236, 36, 90)
        for side in (-1, 1):
            pen.shape([(0, -17), (side * 11, -24.5), (side * 12, -11.5)], red)
        pen.oval((0, -17.5), (3, 3.4), _shade(red, 1.3))
    elif hat == "crown":
        base: list[Point] = [(-11, -12), (-12.5, -24), (-6.5, -18.5), (0, -26), (6.5, -18.5), (12.5, -24), (11, -12)]
        pen.shape(base, _GOLD)
        for x, gem in ((-6.5, (60, 110, 240)), (0.0, (226, 40, 50)), (6.5, (60, 110, 240))):
            pen.oval((x, -15), (1.6, 1.6), gem, line=0)
    elif hat == "witch":
        purple = (66, 46, 116)
        pen.shape([(-10.5, -13), (-3, -22), (5, -29), (6.5, -22), (10.5, -13)], purple)
        pen.shape([(-10.5, -13), (-8.6, -16.5), (8.8, -16.5), (10.5, -13)], (250, 160, 40), line=0)
        pen.oval((0, -11.5), (21, 3.7), purple)
    elif hat == "straw":
        straw = (240, 206, 128)
        pen.oval((0, -13), (11.5, 12), straw, span=(180.0, 360.0))
        pen.shape([(-11.5, -12), (-11, -16.5), (11, -16.5), (11.5, -12)], (220, 50, 50), line=0)
        pen.oval((0, -11), (22, 3.9), straw)
    elif hat == "beret":
        navy = (40, 62, 130)
        pen.oval((1.5, -15), (15.5, 6.2), navy)
        pen.line([(1.5, -21), (2.5, -24.5)], _shade(navy, 0.6), 1.8)
    elif hat == "ears":
        for side in (-1, 1):
            pen.shape([(side * 15, -8), (side * 15.5, -25), (side * 3.5, -16)], hair)
            pen.shape([(side * 13, -12), (side * 13.6, -20.5), (side * 7.5, -16)], (255, 170, 180), line=0)


def _draw_item(pen: _Pen, item: str, skin: Colour) -> None:
    """Draw what the raised hand holds, around the hand."""
    if item == "none":
        return
    if item == "sword":
        steel = (206, 216, 232)
        pen.shape([(-2.3, -3), (-2.3, -25), (0, -29), (2.3, -25), (2.3, -3)], steel, ink=(90, 100, 130))
        pen.shape([(-6, -4.5), (-6, -1.8), (6, -1.8), (6, -4.5)], (190, 130, 40))
        pen.shape([(-1.3, -2), (-1.3, 6), (1.3, 6), (1.3, -2)], (120, 76, 36))
    elif item == "flower":
        pen.line([(0, 8), (0, -9)], (40, 140, 60), 1.8)
        for step in range(5):
            angle = 2 * math.pi * step / 5 - math.pi / 2
            pen.oval((5 * math.cos(angle), -11 + 5 * math.sin(angle)), (3.7, 3.7), (255, 244, 250), ink=(220, 120, 170))
        pen.oval((0, -11), (3.2, 3.2), (255, 186, 40), line=0)
    elif item == "balloon":
        pen.line([(0, 6), (0, -12)], (90, 90, 100), 0.9)
        pen.oval((0, -21), (7.6, 9), (240, 50, 60))
        pen.oval((-2.6, -24.5), (1.9, 2.5), (255, 190, 190), line=0)
    elif item == "wand":
        pen.shape([(-1.1, 8), (-1.1, -6), (1.1, -6), (1.1, 8)], (244, 150, 190), line=0.6)
        points = []
        for step in range(10):
            angle, radius = math.pi * step / 5 - math.pi / 2, 8.4 if step % 2 == 0 else 4.0
            points.append((radius * math.cos(angle), -11 + radius * math.sin(angle)))
        pen.shape(points, (255, 222, 60), ink=(170, 110, 0))
    pen.oval((0, 0), (3, 3), skin)


def draw(character: Character, scene: Scene, size: tuple[int, int] = (64, 64), seed: int = 0) -> Image.Image:
    """Draw a character in a scene.

    Args:
        character: Who is drawn.
        scene: What is held, where, and how it is framed.
        size: Width and height in pixels.
        seed: Decides position, small turns and details of the background; the same seed gives the same picture.

    Returns:
        The picture, in RGB.
    """
    rng = random.Random(f"drawing {seed}")
    width, height = size
    unit = _ENLARGED * min(width, height) / UNITS
    image = Image.new("RGB", (width * _ENLARGED, height * _ENLARGED))
    _draw_background(image, scene["background"], unit, rng)

    holding = scene["item"] != "none"
    scale = unit * (1.16 if scene["framing"] == "close" else 0.98) * rng.uniform(0.97, 1.03)
    x = image.width / 2 + unit * (rng.uniform(-1.5, 1.5) - (4.5 if holding else 0))
    top = 30.5 if scene["framing"] == "close" else 27.5
    spare = image.height / unit - UNITS
    y = unit * (top + spare * 0.22 + rng.uniform(-0.8, 0.8))
    lean = math.radians(rng.uniform(-2.0, 2.0))
    tilt = lean + math.radians(rng.uniform(11, 14) if scene["pose"] == "tilt" else 0.0)

    body = _Pen(image, (x, y), scale, lean)
    head = _Pen(image, (x, y), scale, tilt)
    hair = _HAIR[character["hair_colour"]]
    _draw_hair_behind(head, character["hair_style"], hair)
    _draw_body(body, character)
    _draw_arms(body, character, holding)
    _draw_face(head, character, scene["pose"])
    _draw_fringe(head, character["hair_style"], hair)
    _draw_hat(head, character["hat"], hair)
    _draw_scarf(body, character["scarf"])
    hand = (x + 23.0 * scale * math.cos(lean), y + 22.0 * scale)
    _draw_item(_Pen(image, hand, scale, lean), scene["item"], _SKIN[character["skin"]])
    return image.resize(size, Image.Resampling.BOX)
