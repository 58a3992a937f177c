"""The settings of the tagger as the page holds them: its sliders show the recommended value where 0 stands for it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from train_gamma.errors import UserError
from train_gamma.service import Service
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.config_reading import read_tag_config
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, Entry
from train_gamma.tagging.thresholds import fixed_threshold
from train_gamma.ui.fields import CATEGORIES, STEPS, tag_fields
from train_gamma.ui.form import Form
from train_gamma.ui.tagger_layout import RULES, SECTION, THRESHOLDS, key, section

DIGITS = 2
"""Of what a slider shows."""


def tag_form() -> Form:
    """A form of every setting of a tagging run."""
    return Form(set(), fields=tag_fields(), rules=RULES)


def find_entry(service: Service, name: Any) -> Entry | None:
    """The tagger of that name, if there is one."""
    try:
        return service.tagging.entry(str(name or "").strip())
    except UserError:
        return None


def recommended(entry: Entry | None) -> dict[str, float]:
    """What sliders show where a threshold is as recommended; 0 if that is not known, or not one for all it is of."""
    if entry is None:
        return dict.fromkeys(THRESHOLDS, 0.0)
    known = entry.thresholds
    others = {fixed_threshold(name, known, TagConfig()) for name in (set(known) - set(CATEGORIES)) or {"others"}}
    values = [fixed_threshold(category, known, TagConfig()) for category in (GENERAL, CHARACTER)]
    values.append(others.pop() if len(others) == 1 else 0.0)
    return {name: round(value, DIGITS) for name, value in zip(THRESHOLDS, values, strict=True)}


def read_form(service: Service, form: Form, values: Sequence[Any]) -> TagConfig:
    """The settings that the values of ``form.all()`` describe; a threshold as recommended is 0.

    Raises:
        UserError: if a value does not fit.
    """
    plain = section(form.plain(values))
    for name, value in recommended(find_entry(service, plain["model"])).items():
        if isinstance(plain[name], (int, float)) and abs(plain[name] - value) < STEPS[key(name)] / 2:
            plain[name] = 0.0
    return read_tag_config({**plain, "model": (plain["model"] or "").strip()})


def read_folder(shown: Any) -> str:
    """The folder that its field holds."""
    return str(tag_fields()[key("folder")].read(shown))


def backups_by_label(service: Service, folder: str) -> dict[str, str]:
    """The captions that were kept of a folder, the newest first: what people are shown, and the name of the file.

    Raises:
        UserError: if the folder may not be looked at.
    """
    return {
        f"{kept.when.astimezone():%Y-%m-%d %H:%M:%S}: {kept.changed} changed, {kept.created} new": kept.name
        for kept in service.tagging.backups(folder)
    }


def updates(service: Service, form: Form, config: TagConfig) -> list[Any]:
    """What brings ``form.all()`` to these settings."""
    plain = asdict(config)
    shown = recommended(find_entry(service, config.model))
    plain |= {name: plain[name] or value for name, value in shown.items()}
    return form.updates({SECTION: plain})
