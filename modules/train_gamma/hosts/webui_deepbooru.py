"""The WebUI's DeepDanbooru as an ``Interrogator``: its own model on its own device, with the probability of each tag.

Read in AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/deepbooru.py and modules/deepbooru_model.py, and in Forge's
and reForge's, which load it through their memory manager. The host gives a text above one threshold; the numbers are
taken from the model itself here. The picture is prepared as the host does (512 x 512, aspect kept, the edges repeated,
RGB in 0..1), but small ones are never sent through the upscaler chosen for img2img.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.hosts.webui_forge import forget
from train_gamma.hosts.webui_model import file_hash
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING, Entry, Floats, Label, Tell

NAME = "deepdanbooru"
URL = "https://github.com/AUTOMATIC1111/TorchDeepDanbooru/releases/download/v1/model-resnet_custom_v3.pt"
SIZE = 512
PREPROCESSING = 1
"""Goes up when ``prepare`` changes, so that no number of before is taken for one of now."""

USUAL_THRESHOLD = 0.5

_PARTS = ("load", "start")

Moment = Callable[..., AbstractContextManager[None]]
"""The GPU for one batch; see ``webui_room.Gpu.moment``."""


class HostDeepDanbooru:
    """What the WebUI's DeepDanbooru is, and how it is loaded."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    @property
    def entry(self) -> Entry:
        """Its description; the threshold is that of the WebUI's settings."""
        problem = _problem()
        return Entry(
            name=NAME,
            title="DeepDanbooru of the WebUI (drawings; guides take the threshold 0.75)",
            kind="tagger",
            origin="host",
            thresholds=_thresholds(),
            licence="MIT",
            source=URL,
            ready=not problem and _file() is not None,
            problem=problem,
        )

    def load(self, tell: Tell) -> "DeepDanbooru":
        """Load a copy of it that is ours alone; its file is downloaded by the WebUI when it is not there.

        Raises:
            UserError: if it cannot be loaded, with what to do.
        """
        problem = _problem()
        if problem:
            raise UserError(problem)
        from modules import deepbooru

        tell("Loading DeepDanbooru" if _file() else f"The WebUI downloads DeepDanbooru into '{_folder()}'", 0, 0)
        host = deepbooru.DeepDanbooru()
        try:
            host.load()
        except Exception as error:  # whatever the host's loader and its reader of pickles come upon
            raise UserError(_load_failure(error)) from error
        file = _file()
        return DeepDanbooru(host, file_hash(file) if file else "unknown", self._moment)


class DeepDanbooru:
    """An ``Interrogator`` over one loaded model of the host's."""

    def __init__(self, host: Any, weights: str, moment: Moment) -> None:
        """Take a loaded model.

        Args:
            host: the host's object around it, used by nobody else.
            weights: the sha256 of its file.
            moment: gives the GPU for one batch.

        Raises:
            UserError: if the file has no list of tags.
        """
        self._host, self._moment = host, moment
        self._identity = f"webui-deepdanbooru {weights} {PREPROCESSING}"
        outputs = list(host.model.parameters())[-1].shape[0]
        self._labels = labels(list(host.model.tags)[:outputs])
        if not self._labels:
            raise UserError(f"DeepDanbooru's file in '{_folder()}' has no list of tags. Remove it and download {URL}.")

    @property
    def identity(self) -> str:
        """The file's hash and the version of the preparation."""
        return self._identity

    @property
    def labels(self) -> Sequence[Label]:
        """The tags, as the model's file lists them."""
        return self._labels

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The threshold of the WebUI's settings, for every category."""
        return _thresholds()

    @property
    def most_at_once(self) -> int | None:
        """Any number."""
        return None

    @property
    def device(self) -> str:
        """Where the WebUI computes."""
        from modules import devices

        return str(getattr(self._host, "load_device", None) or devices.device).split(":")[0].upper()

    def prepare(self, picture: Image.Image) -> NDArray[np.uint8]:
        """(512, 512, 3), RGB."""
        return squared(picture)

    def predict(self, batch: NDArray[Any]) -> Floats:
        """(N, T) probabilities, from one turn on the GPU.

        Raises:
            UserError: if the GPU has no memory left, or half precision is too coarse there.
        """
        with self._moment():
            try:
                self._host.start()
                found = self._probabilities(batch)
            except torch.cuda.OutOfMemoryError as error:
                raise UserError(
                    "The GPU has no memory left for DeepDanbooru. Lower 'Pictures at once', or turn on 'Move the "
                    "checkpoint out of the way'."
                ) from error
        if not np.isfinite(found).all():
            raise UserError(
                "DeepDanbooru overflows in half precision on this GPU. Start the WebUI with --no-half, or take another "
                "tagger."
            )
        return found

    def close(self) -> None:
        """Drop the model, in the computer's memory as well."""
        from modules import devices

        with self._moment():
            forget(getattr(self._host, "patcher", None))
            self._host = None
            devices.torch_gc()

    def _probabilities(self, batch: NDArray[Any]) -> Floats:
        from modules import devices

        model = self._host.model
        weight = next(model.parameters())
        with torch.no_grad(), getattr(devices, "autocast", nullcontext)():
            pixels = torch.from_numpy(batch).to(weight.device).to(torch.float32) / 255
            found: Floats = model(pixels.to(weight.dtype)).float().cpu().numpy()
        return found[:, : len(self._labels)]


def squared(picture: Image.Image) -> NDArray[np.uint8]:
    """(512, 512, 3) the picture fitted in and centred; its edges go on where it does not reach.

    As ``resize_image`` of the host's modules/images.py in its mode 2 without an upscaler, edges by the same empty box.
    """
    width, height = picture.size
    longer = max(width, height)
    fitted = picture.convert("RGB").resize(
        (max(1, width * SIZE // longer), max(1, height * SIZE // longer)), Image.Resampling.LANCZOS
    )
    left, top = SIZE // 2 - fitted.width // 2, SIZE // 2 - fitted.height // 2
    canvas = Image.new("RGB", (SIZE, SIZE))
    if top:
        for box, start in (((0, 0, SIZE, 0), 0), ((0, fitted.height, SIZE, fitted.height), top + fitted.height)):
            canvas.paste(fitted.resize((SIZE, top), Image.Resampling.BICUBIC, box), (0, start))
    if left:
        for box, start in (((0, 0, 0, SIZE), 0), ((fitted.width, 0, fitted.width, SIZE), left + fitted.width)):
            canvas.paste(fitted.resize((left, SIZE), Image.Resampling.BICUBIC, box), (start, 0))
    canvas.paste(fitted, (left, top))
    return np.array(canvas)


def labels(tags: Sequence[str]) -> list[Label]:
    """The tags with their categories, which the model's file does not tell.

    ``rating:...`` is a rating. The rest is what DeepDanbooru's ``download-tags`` writes: general tags in natural order,
    then characters in natural order (KichangKim/DeepDanbooru 0805e7e), so characters begin where the order starts anew;
    in the list of v3 that is tag 6891 of 9176, "2k-tan" after "||_||". With any other order all are general.
    """
    plain = [tag for tag in tags if not tag.startswith("rating:")]
    keys = [_natural(tag) for tag in plain]
    anew = [index for index in range(1, len(keys)) if keys[index] < keys[index - 1]]
    characters = set(plain[anew[0] :]) if len(anew) == 1 else set()
    return [Label(tag, _category(tag, characters)) for tag in tags]


def _category(tag: str, characters: set[str]) -> str:
    if tag.startswith("rating:"):
        return RATING
    return CHARACTER if tag in characters else GENERAL


def _natural(tag: str) -> list[tuple[int, int, str]]:
    """A key by which "2boys" comes before "10boys"."""
    parts = re.split(r"([0-9]+)", tag)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in parts]


def _thresholds() -> dict[str, float]:
    from modules import shared

    threshold = float(getattr(shared.opts, "interrogate_deepbooru_score_threshold", USUAL_THRESHOLD))
    return {GENERAL: threshold, CHARACTER: threshold}


def _problem() -> str:
    try:
        from modules import deepbooru

        missing = [part for part in _PARTS if not callable(getattr(deepbooru.DeepDanbooru, part, None))]
    except Exception as error:  # forks have taken it out or changed it in all sorts of ways
        return f"This WebUI has no DeepDanbooru ({type(error).__name__}: {error}). Take a tagger of the list instead."
    if missing:
        return f"This WebUI's DeepDanbooru is another one (it has no {', '.join(missing)}). Take a tagger of the list."
    return ""


def _folder() -> Path:
    from modules import paths

    return Path(paths.models_path) / "torch_deepdanbooru"


def _file() -> Path | None:
    """The file that the host would load, found in its own way."""
    from modules import modelloader

    found = modelloader.load_models(model_path=str(_folder()), ext_filter=[".pt"])
    return Path(found[0]) if found else None


def _load_failure(error: Exception) -> str:
    file = _file()
    if file is None:
        return f"DeepDanbooru could not be downloaded. Download {URL} yourself and put it into '{_folder()}'."
    return (
        f"The WebUI could not read DeepDanbooru's file '{file}' ({type(error).__name__}: {error}). Remove the file; it "
        "is downloaded again, or take it from " + URL
    )
