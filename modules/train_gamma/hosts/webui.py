"""Train Gamma in the WebUI: what is registered with the host, and what happens at each of its calls.

``register`` runs whenever the host executes its scripts, at the start and at each "Reload UI"; this package stays
loaded meanwhile, so a running job goes on and the page finds it again. Nothing heavy is imported before it is needed,
and nothing that fails here takes the tab, or the WebUI, away.
"""

import atexit
import functools
import inspect
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train_gamma.hosts.webui_access import Access
    from train_gamma.service import Service

TITLE, TAB = "Train Gamma", "train_gamma"
ROOT = Path(__file__).resolve().parents[3]

PATIENCE_AT_EXIT = 120.0
"""Seconds that the program's end waits for a job to save."""

_log = logging.getLogger("train_gamma")


@dataclass
class Installation:
    """What lives as long as the program. One of it is made, see ``installation``."""

    txt2img: list[Any] = field(default_factory=list)
    sources: tuple[int, int] = (0, 0)

    @functools.cached_property
    def service(self) -> "Service":
        """Made at its first use, as it imports the trainer."""
        from train_gamma.hosts.webui_host import WebuiHost
        from train_gamma.service import Service

        atexit.register(self.stop_and_save)
        return Service(WebuiHost())

    @functools.cached_property
    def access(self) -> "Access":
        """Who may use the API."""
        from modules import shared

        from train_gamma.hosts.webui_access import read_access

        return read_access(shared.cmd_opts)

    @property
    def running(self) -> Any:
        """The job that has not ended, without making a service to find out that there is none."""
        return self.service.jobs.current if "service" in vars(self) else None

    @property
    def mirror(self) -> Any:
        """What shows the running job in the WebUI's state, None when the model is not lent."""
        return getattr(self.service.host, "mirror", None) if "service" in vars(self) else None

    def stop_and_save(self) -> None:
        """End the running job after its step, with everything saved, as the program ends."""
        job = self.running
        if job is not None:
            _log.info("The WebUI ends; '%s' is saved first.", job.title)
            job.control.stop()
            job.wait(PATIENCE_AT_EXIT)


@functools.cache
def installation() -> Installation:
    """The one installation of this program; it outlives "Reload UI"."""
    return Installation(sources=_sources())


def register(root: Path = ROOT) -> None:
    """Register with the host's callbacks. What cannot be registered is logged and left out; never raises.

    Args:
        root: the folder of the extension whose script calls; another than ours is a second copy of the extension.
    """
    _log_to_console()
    if root != ROOT:
        _log.error("Train Gamma is installed twice: '%s' is in use, '%s' is not. Remove one of them.", ROOT, root)
        return
    callbacks: dict[str, Callable[..., Any]] = {
        "on_before_ui": on_before_ui,
        "on_ui_settings": on_ui_settings,
        "on_ui_train_tabs": on_ui_train_tabs,
        "on_ui_tabs": on_ui_tabs,
        "on_app_started": on_app_started,
        "on_script_unloaded": on_script_unloaded,
    }
    for name, callback in callbacks.items():
        _guarded(_register, name, callback)
    _guarded(_spare_from_restarts)
    _guarded(_save_before_the_end)


def on_before_ui() -> None:
    """All scripts are loaded: make our package findable for good, and add the plot's axis."""
    sources = str(ROOT / "modules")
    if sources not in sys.path:
        sys.path.append(sources)
    _guarded(_add_axis)


def on_ui_settings() -> None:
    """Add our section to the settings."""
    from train_gamma.hosts.webui_settings import add_settings

    add_settings()


def on_ui_train_tabs(params: Any) -> None:
    """Remember the inputs of txt2img, for "Read prompt from txt2img"."""
    installation().txt2img = list(params.txt2img_preview_params)


def on_ui_tabs() -> list[tuple[Any, str, str]]:
    """Our tab; when it cannot be built, one that says why."""
    try:
        from train_gamma.ui.page import build_page

        page = build_page(installation().service, installation().access.token, installation().txt2img)
    except Exception as error:  # whatever it is, the tab says so and the WebUI starts
        _log.exception("The tab could not be built.")
        page = _page_of_problem(error)
    return [(page, TITLE, TAB)]


def on_app_started(_demo: Any, app: Any) -> None:
    """Add our routes to the host's server, which is a new one after "Reload UI". There is no page with --nowebui."""
    from train_gamma.api import AccessRules, add_routes

    access = installation().access
    rules = AccessRules(credentials=access.credentials, locked=access.locked, token=access.token)
    add_routes(app, installation().service, rules)


def on_script_unloaded() -> None:
    """Scripts are about to be executed again: take up code that was updated, unless a job runs on the old one."""
    current = installation()
    if current.sources == _sources():
        return
    if current.running is not None:
        _log.warning("Train Gamma was updated, and a job runs. Restart the WebUI when it is done.")
        return
    for name in [name for name in sys.modules if name.split(".")[0] == "train_gamma"]:
        del sys.modules[name]


def _register(name: str, callback: Callable[..., Any]) -> None:
    from modules import script_callbacks

    add = getattr(script_callbacks, name, None)
    if add is None:
        _log.info("This WebUI has no %s.", name)
    elif "name" in inspect.signature(add).parameters:  # since 1.9: lets people reorder callbacks
        add(callback, name=TAB)
    else:
        add(callback)


def _guarded(work: Callable[..., Any], *arguments: Any) -> None:
    try:
        work(*arguments)
    except Exception:  # a part that fails is left out; the others still work
        _log.exception("%s failed; the rest of Train Gamma works without it.", work.__name__.strip("_"))


def _add_axis() -> None:
    from train_gamma.hosts.webui_xyz import add_axis

    add_axis(lambda: installation().service)


def _spare_from_restarts() -> None:
    from modules import shared

    from train_gamma.hosts.webui_state import spare_from_restarts

    spare_from_restarts(shared.state, lambda: installation().mirror)


def _save_before_the_end() -> None:
    from modules import restart

    from train_gamma.hosts.webui_end import save_before_ctrl_c, save_before_stop_program

    def save() -> None:
        installation().stop_and_save()

    save_before_ctrl_c(save)
    save_before_stop_program(restart, save)


def _page_of_problem(error: Exception) -> Any:
    import gradio

    with gradio.Blocks(analytics_enabled=False) as page:
        gradio.Markdown(
            f"### Train Gamma could not be started\n\n`{type(error).__name__}: {error}`\n\nThe console of the WebUI "
            "has the details. Everything else in the WebUI works. Updating Train Gamma, or the WebUI, may help."
        )
    return page


def _sources() -> tuple[int, int]:
    """How many files our package has and when the newest was changed."""
    times = [path.stat().st_mtime_ns for path in (ROOT / "modules" / "train_gamma").rglob("*.py")]
    return len(times), max(times, default=0)


def _log_to_console() -> None:
    if any(handler.get_name() == TAB for handler in _log.handlers):
        return
    handler = logging.StreamHandler()
    handler.set_name(TAB)
    handler.setFormatter(logging.Formatter("[Train Gamma] %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
