"""What keeps the project an extension that a WebUI can load, and its generated page up to date."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_modules_is_a_source_root_with_one_package() -> None:
    """A ``modules/__init__.py`` would hide the WebUI's own ``modules`` from install scripts."""
    assert not (ROOT / "modules" / "__init__.py").exists()
    packages = [path.name for path in (ROOT / "modules").iterdir() if path.is_dir() and path.name.isidentifier()]
    assert packages == ["train_gamma"]


def test_options_page_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("write_options", ROOT / "tools" / "write_options.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "options.md").read_text("utf-8") == module.options_page()


def test_architecture_stays_short() -> None:
    assert len((ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8").splitlines()) <= 60
