"""Settings of a tagging run from plain values: a request's JSON, a page's fields, a command line."""

from collections.abc import Mapping
from typing import Any

from train_gamma.tagging.config import TagConfig
from train_gamma.training.flat_reading import read_flat


def read_tag_config(values: Mapping[str, Any], base: TagConfig | None = None) -> TagConfig:
    """Build settings from plain values; what is missing is taken from ``base``, or is the default.

    Raises:
        UserError: if a key is unknown, a value has the wrong type, or is out of its range.
    """
    return read_flat(values, base or TagConfig())
