"""Which WebUI this is, found by what it has and not by what it calls itself."""

import importlib.util
from typing import Literal

Kind = Literal["a1111", "reforge", "forge"]

_NAMES = {"a1111": "AUTOMATIC1111", "reforge": "reForge", "forge": "Forge"}


def host_kind() -> Kind:
    """The family of the WebUI around us. Only "a1111" keeps a model that gradients can go through."""
    if _has("backend.memory_management"):
        return "forge"
    if _has("ldm_patched.modules.model_management"):
        return "reforge"
    return "a1111"


def host_name() -> str:
    """The family and its version for people, such as "AUTOMATIC1111 1.9.4"."""
    return f"{_NAMES[host_kind()]} {_version()}".strip()


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # the package it would be in is missing, or was put together by hand
        return False


def _version() -> str:
    try:
        from modules import launch_utils

        tag = str(launch_utils.git_tag())
    except (ImportError, AttributeError, OSError):
        return ""
    return "" if tag.startswith("<") else tag.removeprefix("v")
