"""The WebUI's BLIP as a ``Captioner``: the sentence alone, without the words that "Interrogate CLIP" adds.

Read in AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/interrogate.py, and in Forge's and reForge's. Its
``interrogate`` answers with a text ending in ``<error>`` when something goes wrong; ``generate_caption`` raises, and is
what is used here. Its ``load`` brings CLIP along, a gigabyte that the sentence does not need, so CLIP is left out.
"""

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.hosts.webui_deepbooru import Moment
from train_gamma.hosts.webui_forge import forget
from train_gamma.hosts.webui_model import file_hash
from train_gamma.tagging.interrogator import Entry, Tell

NAME = "blip"
URL = "https://storage.googleapis.com/sfr-vision-language-research/BLIP/models/model_base_caption_capfilt_large.pth"
ERROR_MARK = "<error>"

_PARTS = ("load", "load_blip_model", "generate_caption")
_LENGTHS = {"num_beams": 1, "min_length": 24, "max_length": 48}


class HostBlip:
    """What the WebUI's BLIP is, and how it is loaded."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    @property
    def entry(self) -> Entry:
        """Its description."""
        problem = _problem()
        return Entry(
            name=NAME,
            title="BLIP of the WebUI (a sentence; best on photos)",
            kind="captioner",
            origin="host",
            licence="BSD-3-Clause",
            source=URL,
            ready=not problem and _file() is not None,
            problem=problem,
        )

    def load(self, tell: Tell) -> "Blip":
        """Load a copy of it that is ours alone; its file is downloaded by the WebUI when it is not there.

        Raises:
            UserError: if it cannot be loaded, with what to do.
        """
        problem = _problem()
        if problem:
            raise UserError(problem)
        from modules import shared

        tell("Loading BLIP" if _file() else f"The WebUI downloads BLIP into '{_folder()}'", 0, 0)
        try:
            models = type(shared.interrogator)(shared.interrogator.content_dir)
            blip = models.load_blip_model()
        except Exception as error:  # the host's loader, its reader of pickles, and the library BLIP needs
            raise UserError(_load_failure(error)) from error
        models.load_blip_model = lambda: blip
        models.load_clip_model = lambda: (torch.nn.Linear(1, 1), None)  # its precision is looked at, nothing else
        file = _file()
        return Blip(models, file_hash(file) if file else "unknown", self._moment)


class Blip:
    """A ``Captioner`` over the host's ``InterrogateModels``."""

    def __init__(self, models: Any, weights: str, moment: Moment) -> None:
        """Take a loaded model.

        Args:
            models: the host's object around it, used by nobody else.
            weights: the sha256 of its file.
            moment: gives the GPU for one picture.
        """
        self._models, self._weights, self._moment = models, weights, moment

    @property
    def identity(self) -> str:
        """The file's hash, and the beams and lengths of the WebUI's settings."""
        lengths = (f"{key} {_setting(key)}" for key in _LENGTHS)
        return f"webui-blip {self._weights} {' '.join(lengths)}"

    @property
    def device(self) -> str:
        """Where the WebUI interrogates."""
        return str(self._place()).split(":")[0].upper()

    def caption(self, picture: Image.Image) -> str:
        """A sentence on one line.

        Raises:
            UserError: if it failed.
        """
        with self._moment(self._place()):
            try:
                self._models.load()  # to the GPU, if it is not there
                text = str(self._models.generate_caption(picture.convert("RGB")))
            except torch.cuda.OutOfMemoryError as error:
                raise UserError(
                    "The GPU has no memory left for BLIP. Turn on 'Move the checkpoint out of the way'."
                ) from error
            except Exception as error:  # BLIP's code is older than the library that it runs on
                raise UserError(_failure(error)) from error
        if text.rstrip().endswith(ERROR_MARK):
            raise UserError("BLIP failed at this picture; the console of the WebUI has the details.")
        return " ".join(text.split())

    def close(self) -> None:
        """Drop the model, in the computer's memory as well."""
        from modules import devices

        with self._moment(self._place()):
            for patcher in ("blip_patcher", "clip_patcher"):
                forget(getattr(self._models, patcher, None))
            self._models = None
            devices.torch_gc()

    def _place(self) -> Any:
        from modules import devices

        return getattr(self._models, "load_device", None) or devices.device_interrogate


def _problem() -> str:
    try:
        from modules import paths, shared

        missing = [part for part in _PARTS if not callable(getattr(shared.interrogator, part, None))]
        repository = paths.paths.get("BLIP")
    except Exception as error:  # forks have taken it out or changed it in all sorts of ways
        return f"This WebUI has no BLIP ({type(error).__name__}: {error})."
    if missing:
        return f"This WebUI's BLIP is another one (it has no {', '.join(missing)})."
    if not repository:
        return "The WebUI's repositories folder has no BLIP. Start it once without --skip-install, online."
    return ""


def _folder() -> Path:
    from modules import paths

    return Path(paths.models_path) / "BLIP"


def _file() -> Path | None:
    """The file that the host would load, found in its own way."""
    from modules import modelloader

    found = modelloader.load_models(model_path=str(_folder()), ext_filter=[".pth"])
    return Path(found[0]) if found else None


def _setting(key: str) -> int:
    from modules import shared

    return int(getattr(shared.opts, f"interrogate_clip_{key}", _LENGTHS[key]))


def _failure(error: Exception) -> str:
    """Beams are what BLIP's code and a newer transformers disagree about (seen with 4.30.2, the host's own)."""
    told = f"BLIP failed at this picture ({type(error).__name__}: {error})."
    beams = "Set 'BLIP: num_beams' to 1 in Settings > Interrogate." if _setting("num_beams") > 1 else ""
    return f"{told} {beams}".strip()


def _load_failure(error: Exception) -> str:
    if _file() is None and not isinstance(error, ImportError):
        return f"BLIP could not be downloaded. Download {URL} yourself and put it into '{_folder()}'."
    return (
        f"The WebUI could not load BLIP ({type(error).__name__}: {error}). Its 'Interrogate CLIP' in img2img has the "
        "same trouble then; the console has the details."
    )
