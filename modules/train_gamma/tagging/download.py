"""Downloads from huggingface.co by way of huggingface_hub, in a process of its own.

That process can be ended at once, leaves what it has for the next time, and its settings are nobody else's.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from train_gamma.errors import UserError
from train_gamma.tagging.interrogator import Tell

_POLL_SECONDS = 0.2

_CHILD = """
import inspect, json, sys
job = json.loads(sys.argv[1])
try:
    import huggingface_hub as hub
    from huggingface_hub import constants
    if constants.HF_HUB_OFFLINE:
        raise RuntimeError("HF_HUB_OFFLINE is set, which switches downloads off")
    known = inspect.signature(hub.hf_hub_download).parameters
    options = {"local_dir": job["folder"], "cache_dir": job["cache"], "revision": job["revision"]}
    if "resume_download" in known and known["resume_download"].default is False:
        options.update(resume_download=True, local_dir_use_symlinks=False)  # before 0.23
    for name in job["files"]:
        address = hub.hf_hub_url(job["repository"], name, revision=job["revision"])
        if hasattr(hub.utils, "get_session"):
            hub.utils.get_session().head(address, timeout=10)  # the functions below try for half a minute
        print(json.dumps([name, hub.get_hf_file_metadata(address).size or 0]), flush=True)
        hub.hf_hub_download(job["repository"], name, **options)
except Exception as error:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    told = str(error).strip().splitlines() or [""]
    print(f"{type(error).__name__}: {told[0]}", file=sys.stderr)
    sys.exit(1)
"""

_SETTINGS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_XET": "1",  # it cannot go on with half a file
    "HF_HUB_ENABLE_HF_TRANSFER": "0",  # nor can this
    "PYTHONIOENCODING": "utf-8",
}


def addresses(repository: str, revision: str, names: Sequence[str]) -> list[str]:
    """Where each file can be downloaded by hand."""
    site = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return [f"{site}/{repository}/resolve/{revision}/{name}" for name in names]


def download(repository: str, revision: str, names: Sequence[str], folder: Path, tell: Tell) -> None:
    """Download files into ``folder``, going on with those that were begun before.

    Args:
        repository: such as "SmilingWolf/wd-vit-tagger-v3".
        revision: commit, tag or branch.
        names: the files' paths in the repository.
        folder: where they are put, at the same paths.
        tell: hears of the bytes of each file. What it raises ends the download.

    Raises:
        UserError: if it fails, with the reason and nothing else.
    """
    job = {"repository": repository, "revision": revision, "files": list(names), "folder": str(folder)}
    command = [sys.executable, "-c", _CHILD, json.dumps({**job, "cache": str(folder / ".cache" / "hub")})]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"'{folder}' cannot be made: {error.strerror or error}.") from error
    with tempfile.TemporaryDirectory() as output:
        told, errors = Path(output, "told"), Path(output, "errors")
        with told.open("wb") as out, errors.open("wb") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **_SETTINGS})
        try:
            while process.poll() is None:
                _report(told, folder, tell)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_SECONDS)
            _report(told, folder, tell)
        finally:
            process.kill()
            process.wait()
        if process.returncode:
            raise UserError(_reason(errors.read_text("utf-8", "replace")))


def _report(told: Path, folder: Path, tell: Tell) -> None:
    lines = [line for line in told.read_text("utf-8", "replace").splitlines() if line.endswith("]")]
    if not lines:
        tell("Connecting", 0, 0)
        return
    name, size = json.loads(lines[-1])
    tell(f"Downloading {name}", _size(folder / name) or _incomplete(folder), size)


def _incomplete(folder: Path) -> int:
    """Bytes of the file that is being written: the newest of those that are not complete, in whatever hidden folder."""
    begun = list(folder.rglob("*.incomplete"))
    with contextlib.suppress(OSError, ValueError):  # it may be complete by now
        return max((path.stat() for path in begun), key=lambda found: found.st_mtime).st_size
    return 0


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = lines[-1] if lines else "the download ended without a reason"
    return reason if len(reason) <= 300 else reason[:297] + "..."
