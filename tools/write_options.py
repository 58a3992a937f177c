"""Write docs/options.md, the table of every setting, from the configuration's own descriptions."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "modules"))

from train_gamma.training.config_reading import describe, section_types  # noqa: E402

HEADER = """# Settings

Every setting of a run, by the sections of its TOML file. On the command line: `--set section.key=value`.
This page is written by `tools/write_options.py` from `modules/train_gamma/training/config.py`.
"""


def options_page() -> str:
    """The page as markdown."""
    parts = [HEADER]
    for name, section in section_types().items():
        parts.append(f"## [{name}]\n\n{(section.__doc__ or '').strip()}\n\n| key | label | default | values | help |")
        parts.append("|---|---|---|---|---|")
        parts += [_row(key, default, metadata) for key, default, metadata in describe(section)]
        parts.append("")
    return "\n".join(parts)


def _row(key: str, default: Any, metadata: Any) -> str:
    shown = list(default) if isinstance(default, tuple) else default
    text = "" if shown in ("", []) else f"`{shown}`"
    cells = (f"`{key}`", metadata["label"], text, _values(metadata), metadata["help"])
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _values(metadata: Any) -> str:
    if metadata["choices"]:
        return ", ".join(metadata["choices"])
    low, high = metadata["minimum"], metadata["maximum"]
    if low is None:
        return ""
    return f"{low} and up" if high is None else f"{low} to {high if high < 2**62 else '2^63 - 1'}"


if __name__ == "__main__":
    (ROOT / "docs" / "options.md").write_text(options_page(), "utf-8")
