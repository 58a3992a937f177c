"""The face of an embedding card: a picture or the vectors as colours, with the name and the facts below."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from train_gamma.embedding.embedding import Embedding
from train_gamma.lettering import drawable, find_font, text_length

WIDTH = 512
_FOOTER = 120
_MARGIN = 24
_PAPER = (250, 246, 240)
_INK = (38, 34, 54)
_QUIET = (120, 112, 134)
_PALETTE = np.array([(38, 34, 84), (94, 56, 132), (226, 96, 110), (248, 178, 120), (252, 236, 200)], np.float64)
_SMALLEST = 12


def draw_card(embedding: Embedding, picture: Image.Image | None = None) -> Image.Image:
    """The card, RGB, 512 pixels wide and 632 high."""
    card = Image.new("RGB", (WIDTH, WIDTH + _FOOTER), _PAPER)
    shown = picture.convert("RGB") if picture is not None else draw_mosaic(embedding)
    card.paste(ImageOps.fit(shown, (WIDTH, WIDTH), Image.Resampling.LANCZOS), (0, 0))
    draw = ImageDraw.Draw(card)
    room = WIDTH - 2 * _MARGIN
    _write(draw, (_MARGIN, WIDTH + 18), embedding.name, _INK, (40, room))
    _write(draw, (_MARGIN, WIDTH + 72), _facts(embedding), _QUIET, (18, room))
    _write(draw, (_MARGIN, WIDTH + 94), _origin(embedding), _QUIET, (14, room))
    return card


def draw_mosaic(embedding: Embedding) -> Image.Image:
    """The vectors as colours: one tile per vector, violet for negative values, red for none, cream for positive."""
    tiles = [_tile(row) for row in np.concatenate([rows.numpy() for rows in embedding.vectors.values()], axis=1)]
    columns = math.ceil(math.sqrt(len(tiles)))
    lines = math.ceil(len(tiles) / columns)
    side = WIDTH // columns
    mosaic = Image.new("RGB", (columns * side, lines * side), _PAPER)
    for index, tile in enumerate(tiles):
        place = (index % columns * side, index // columns * side)
        mosaic.paste(tile.resize((side - 2, side - 2), Image.Resampling.BICUBIC), place)
    return mosaic.resize((WIDTH, WIDTH), Image.Resampling.BICUBIC)


def _tile(values: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> Image.Image:
    """One vector as a small picture; a value of twice the root mean square is at the end of the palette."""
    lines = math.isqrt(len(values))
    columns = math.ceil(len(values) / lines)
    padded = np.resize(values.astype(np.float64), lines * columns)
    scale = 4 * math.sqrt(float(np.mean(padded**2))) or 1.0
    place = np.clip(padded / scale + 0.5, 0, 1) * (len(_PALETTE) - 1)
    colours = [np.interp(place, range(len(_PALETTE)), _PALETTE[:, channel]) for channel in range(3)]
    return Image.fromarray(np.stack(colours, axis=-1).reshape(lines, columns, 3).round().astype(np.uint8))


def _facts(embedding: Embedding) -> str:
    count = f"{embedding.num_vectors} vector{'s' if embedding.num_vectors > 1 else ''}"
    step = [f"step {embedding.step}"] if embedding.step is not None else []
    skip = [f"clip skip {embedding.info.clip_skip}"] if embedding.info.clip_skip is not None else []
    return ", ".join([count, *step, *skip])


def _origin(embedding: Embedding) -> str:
    info = embedding.info
    return "  ".join(part for part in (info.model_name, f"[{info.short_hash}]" if info.short_hash else "") if part)


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, fill: tuple[int, int, int], room: tuple[int, int]
) -> None:
    """Write ``text`` at most ``room[0]`` pixels high, smaller or shortened so that it is at most ``room[1]`` wide."""
    height, width = room
    font = find_font(height, text)
    length = text_length(draw, text, font)
    if length > width:
        font = find_font(max(_SMALLEST, int(height * width / length)), text)
        length = text_length(draw, text, font)
    if length > width:
        shortened = text[: int(len(text) * width / length)]
        while shortened and text_length(draw, shortened + "...", font) > width:
            shortened = shortened[:-1]
        text = shortened + "..."
    draw.text(place, drawable(text, font), fill=fill, font=font)
