"""Pictures that come with a request."""

import base64
import binascii
from pathlib import Path

from PIL import Image

from train_gamma.dataset.pictures import decode_picture
from train_gamma.errors import UserError

SENT = Path("image")
"""What a picture without a name is called in messages."""


def read_sent_picture(text: str, background: str) -> Image.Image:
    """A picture from base64, with or without ``data:image/png;base64,`` before it: RGB, upright.

    Raises:
        UserError: if it is not base64, or no picture.
    """
    encoded = text.partition(",")[2] if text.startswith("data:") else text
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UserError(f"image is not base64 ({error}). Send the picture file, encoded as base64.") from error
    if not content:
        raise UserError("image is empty. Send the picture file, encoded as base64.")
    return decode_picture(content, SENT, background)
