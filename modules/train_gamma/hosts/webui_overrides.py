"""Other values for the WebUI's settings, for a moment and for one reader.

Writing ``opts.data`` would do it as well, but whoever presses "Apply settings" in that moment would save our values
for good. So the one module that is to see them is given another view of the settings, where that is possible.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class SettingsView:
    """The WebUI's settings, as they are now, but for a few."""

    def __init__(self, settings: Any, values: Mapping[str, Any]) -> None:
        self._settings = settings
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__["_values"]
        return values[name] if name in values else getattr(self.__dict__["_settings"], name)


@contextmanager
def attributes(owner: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Give an object or a module other attributes; what it had, or had not, is put back at the end."""
    before = {name: vars(owner)[name] for name in values if name in vars(owner)}
    try:
        for name, value in values.items():
            setattr(owner, name, value)
        yield
    finally:
        for name in values:
            if name in before:
                setattr(owner, name, before[name])
            else:
                vars(owner).pop(name, None)


@contextmanager
def settings_seen_by(module: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Let ``module``, which has the settings as its ``opts``, see other values."""
    with attributes(module, {"opts": SettingsView(module.opts, values)}):
        yield


@contextmanager
def settings_set_to(values: Mapping[str, Any]) -> Iterator[None]:
    """Set settings for everybody, for as short a time as can be; what somebody changes meanwhile stays changed."""
    from modules import shared

    before = {name: shared.opts.data[name] for name in values if name in shared.opts.data}
    try:
        shared.opts.data.update(values)
        yield
    finally:
        for name, value in values.items():
            if shared.opts.data.get(name) is not value:
                continue
            if name in before:
                shared.opts.data[name] = before[name]
            else:
                del shared.opts.data[name]
