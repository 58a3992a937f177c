"""The section "Train Gamma" of the WebUI's settings.

Only settings of the installation are here; everything about a run is on the page and in presets. Read them by
``getattr(shared.opts, key, default)``: with ``--nowebui`` the section is never made.
"""

from typing import Any

from train_gamma.hosts.webui_access import is_open_to_others

SECTION = ("train_gamma", "Train Gamma")


def add_settings() -> None:
    """Add the section to the settings page."""
    import gradio
    from modules import shared

    fixed = {"visible": False} if is_open_to_others(shared.cmd_opts) else {}
    _add(
        "train_gamma_runs_dir",
        "",
        "Folder for runs",
        "empty for textual_inversion/train_gamma/runs; the flag --train-gamma-runs-dir goes first",
        component=gradio.Textbox,
        component_args=dict(fixed),
    )
    _add(
        "train_gamma_taggers_dir",
        "",
        "Folder for taggers",
        "empty for models/train-gamma-taggers; the flag --train-gamma-taggers-dir goes first",
        component=gradio.Textbox,
        component_args=dict(fixed),
    )
    _add(
        "train_gamma_readable_folders",
        "",
        "Folders that other machines may name, one a line",
        "for datasets outside of the WebUI's folder; acts with --listen, --share and the like, cannot be changed then",
        component=gradio.Textbox,
        component_args={"lines": 3, **fixed},
    )
    _add(
        "train_gamma_card_previews",
        True,
        "Use the last preview as the picture of an embedding's card",
        "written beside the embedding as NAME.preview.png",
        component=gradio.Checkbox,
        component_args={},
    )


def _add(key: str, default: Any, label: str, note: str, **component: Any) -> None:
    from modules import shared

    option = shared.OptionInfo(default, label, section=SECTION, **component)
    if hasattr(option, "info"):
        option.info(note)
    if hasattr(option, "category_id"):  # since 1.7: the group that the section stands in
        option.category_id = "training"
    if hasattr(option, "restrict_api"):  # paths are set by the person at the settings page
        option.restrict_api = True
    shared.opts.add_option(key, option)
