"""The extension's entry: put ``modules/`` on the path and register with the WebUI. Nothing else lives here."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = str(ROOT / "modules")
if sys.path[0] != SOURCES:  # the WebUI drops it again when this script is done; hosts/webui.py puts it back
    sys.path.insert(0, SOURCES)

from train_gamma.hosts import webui  # noqa: E402 - it can be found only now

webui.register(ROOT)
