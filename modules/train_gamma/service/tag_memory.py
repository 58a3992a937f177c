"""What the form of the tagger held last, for the next time its page is opened."""

import json
import logging
from dataclasses import asdict
from pathlib import Path

from train_gamma import atomic
from train_gamma.errors import UserError
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.config_reading import read_tag_config

FILE = "last-tagging.json"

log = logging.getLogger("train_gamma")


def remember(kept: Path, config: TagConfig) -> None:
    """Keep settings in the folder of what is kept.

    Raises:
        UserError: if the file cannot be written.
    """
    path = kept / FILE
    text = json.dumps(asdict(config), indent=2, ensure_ascii=False) + "\n"
    try:
        if not (path.is_file() and path.read_text("utf-8") == text):
            atomic.write_text(path, text)
    except (OSError, ValueError) as error:
        raise UserError(
            f"The settings of the tagger cannot be kept in '{path}' ({error}). Free space or fix the folder's rights."
        ) from error


def remembered(kept: Path) -> TagConfig:
    """The settings that were kept last, the defaults when there are none or they cannot be read."""
    try:
        values = json.loads((kept / FILE).read_text("utf-8"))
        known = {key: value for key, value in values.items() if key in TagConfig.__dataclass_fields__}
        return read_tag_config(known)
    except FileNotFoundError:
        return TagConfig()
    except (OSError, ValueError, AttributeError, UserError) as error:
        log.debug("The last settings of the tagger cannot be read: %s", error)
        return TagConfig()
