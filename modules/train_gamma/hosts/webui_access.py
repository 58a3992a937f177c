"""Who may ask for what over the network, from the WebUI's command line and settings."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train_gamma.host import Folders


@dataclass(frozen=True, slots=True)
class Access:
    """What the command line says about logins.

    Attributes:
        credentials: user and password of ``--api-auth``.
        locked: whether the WebUI has a login at all, for its API or its page.
        token: what the page shows to be let in; drawn anew at each start of the program.
    """

    credentials: dict[str, str]
    locked: bool
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


def read_access(cmd_opts: Any) -> Access:
    """The logins of ``--api-auth``, and whether ``--gradio-auth`` or ``--gradio-auth-path`` lock the page."""
    pairs = str(getattr(cmd_opts, "api_auth", None) or "").split(",")
    credentials = dict(pair.strip().split(":", 1) for pair in pairs if ":" in pair)
    flags = ("api_auth", "gradio_auth", "gradio_auth_path")
    return Access(credentials, any(getattr(cmd_opts, flag, None) for flag in flags))


def read_folders(shared: Any, data_path: Path) -> Folders:
    """Where files belong, as flags and settings are now.

    Runs and presets lie under ``textual_inversion``, where the host keeps what its own training writes and which its
    repository ignores, so that no update takes them away.
    """
    ours = data_path / "textual_inversion" / "train_gamma"
    runs, taggers = _chosen(shared, "train_gamma_runs_dir"), _chosen(shared, "train_gamma_taggers_dir")
    return Folders(
        embeddings=Path(getattr(shared.cmd_opts, "embeddings_dir", None) or data_path / "embeddings"),
        runs=Path(runs).expanduser() if runs else ours / "runs",
        presets=ours / "presets",
        taggers=Path(taggers).expanduser() if taggers else _models_path(shared, data_path) / "train-gamma-taggers",
        kept=ours / "kept",
        readable=_readable(shared, data_path) if is_open_to_others(shared.cmd_opts) else (),
        tag_lists=(*sorted((data_path / "extensions").glob("*tagcomplete*/tags")), ours / "tags"),
    )


def _models_path(shared: Any, data_path: Path) -> Path:
    return Path(getattr(shared, "models_path", None) or data_path / "models")


def is_open_to_others(cmd_opts: Any) -> bool:
    """Whether other machines reach the page (``--listen``, ``--share``, ``--server-name``, ``--ngrok``)."""
    flags = ("webui_is_non_local", "listen", "share", "server_name", "ngrok")
    return any(getattr(cmd_opts, flag, None) for flag in flags)


def _readable(shared: Any, data_path: Path) -> tuple[Path, ...]:
    """The folders that a WebUI which other machines reach lets them name.

    The data folder (with embeddings, models and outputs), this extension, the folder of runs, the folders that flags
    name for models, ``--gradio-allowed-path``, and what the administrator adds. Only what cannot be changed through
    such a WebUI counts, or it would be no limit: our settings are fixed there (see ``webui_settings``), those for
    output folders only with ``--hide-ui-dir-config``.
    """
    cmd_opts, opts = shared.cmd_opts, shared.opts
    places: list[Any] = [data_path, Path(__file__).resolve().parents[3], _chosen(shared, "train_gamma_runs_dir")]
    places += [getattr(cmd_opts, flag, None) for flag in ("embeddings_dir", "ckpt_dir", "vae_dir")]
    for flag in ("gradio_allowed_path", "train_gamma_readable_dir"):
        places += getattr(cmd_opts, flag, None) or ()
    if getattr(cmd_opts, "hide_ui_dir_config", False):
        places += [value for key, value in opts.data.items() if key.startswith("outdir_")]
    places += str(getattr(opts, "train_gamma_readable_folders", "") or "").splitlines()
    named = [Path(place).expanduser().resolve() for place in places if str(place or "").strip()]
    return tuple(dict.fromkeys(named))


def _chosen(shared: Any, key: str) -> str:
    flag = getattr(shared.cmd_opts, key, None)
    return str(flag or getattr(shared.opts, key, "") or "").strip()
