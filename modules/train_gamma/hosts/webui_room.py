"""The WebUI's GPU as taggers use it: beside the checkpoint for a moment at a time, or without it for a whole job.

AUTOMATIC1111/stable-diffusion-webui v1.9.4, modules/sd_models.py and modules/lowvram.py: the checkpoint goes to the
computer's memory with ``send_model_to_cpu`` and comes back with ``send_model_to_device``. With --lowvram and
--medvram only the part that was used last is on the GPU, and each part comes by itself when it is called. Forge and
reForge unload what they have when they are asked to, and load it again by themselves.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from train_gamma.hosts.webui_forge import MainThreadTurn, memory_manager, turn_of, unload
from train_gamma.hosts.webui_queue import Turn, queue_unless
from train_gamma.training.events import Control

NOTHING_TAGGED = "Stopped before it was its turn in the WebUI's queue."
"""What a job is told that is stopped while it waits for the GPU."""

LONGEST_TURN_S = 60.0
"""So long the checkpoint stays away even if nobody is seen to wait. A turn moves it twice, which takes a second."""

_log = logging.getLogger("train_gamma")


class Gpu:
    """The GPU that the WebUI and the taggers share. One of it for a ``WebuiHost``."""

    def __init__(self) -> None:
        self._in_use = threading.RLock()  # by a tagger inside of a room, or by the room to give way
        self._turn: Turn | MainThreadTurn | None = None

    @contextmanager
    def moment(self, device: Any = None) -> Iterator[None]:
        """The GPU for one batch, in the WebUI's queue like a picture; at once inside of a room and on the CPU.

        With --lowvram and --medvram the part of the checkpoint that is on the GPU is sent away first.

        Args:
            device: where it is computed, if not where the WebUI makes pictures.
        """
        if is_cpu(device) or computes_on_cpu():
            yield
            return
        while True:
            with self._in_use:
                if self._turn is not None:
                    yield
                    return
            with queue_unless(lambda: self._turn is not None) as held:
                if held:
                    _send_lowvram_away()
                    yield
                    return

    @contextmanager
    def room(self, control: Control) -> Iterator[Callable[[], None]]:
        """The GPU without the checkpoint, in the WebUI's queue. What it gives lets others have their turn in between.

        Raises:
            UserError: if the job is stopped before it is its turn.
        """
        with turn_of(control, NOTHING_TAGGED, LONGEST_TURN_S) as turn:
            away = _Away()
            try:
                away.send()
                self._turn = turn
                yield lambda: self._give_way(turn, away)
            finally:
                with self._in_use:
                    self._turn = None
                    away.bring_back()

    def _give_way(self, turn: Turn | MainThreadTurn, away: "_Away") -> None:
        if not turn.is_over():
            return
        with self._in_use:
            away.bring_back()
            turn.pass_on()
            away.send()


class _Away:
    """The checkpoints that were sent off the GPU."""

    def __init__(self) -> None:
        self._models: list[Any] = []

    def send(self) -> None:
        """Send away every checkpoint that is on the GPU now."""
        if memory_manager() is not None:
            unload()
            return
        if computes_on_cpu():
            return
        from modules import sd_models

        for model in _loaded(sd_models.model_data):
            if _is_on_the_gpu(model):
                self._models.append(model)
                sd_models.send_model_to_cpu(model)

    def bring_back(self) -> None:
        """Bring back what was sent away. What does not fit any more is logged, and left in the computer's memory."""
        models, self._models = self._models, []
        for model in models:
            self._bring_back(model)

    def _bring_back(self, model: Any) -> None:
        from modules import devices, sd_models

        if getattr(model, "lowvram", False):
            return  # its parts come by themselves
        try:
            devices.torch_gc()
            sd_models.send_model_to_device(model)
        except Exception:  # the tags are there; only the checkpoint has no room beside what came meanwhile
            _log.exception(
                "The checkpoint could not be put back onto the GPU. Unload the tagger, then press 'Load SD checkpoint "
                "to VRAM from RAM' in Settings > Actions."
            )
            sd_models.send_model_to_cpu(model)


def computes_on_cpu() -> bool:
    """Whether the WebUI makes its pictures on the CPU, so that there is no GPU to share."""
    from modules import devices

    return is_cpu(devices.device)


def is_cpu(device: Any) -> bool:
    """Whether a torch device is the CPU."""
    return str(getattr(device, "type", device)) == "cpu"


def _loaded(data: Any) -> list[Any]:
    """The checkpoint in use first, then those that the WebUI keeps beside it."""
    models = [data.sd_model, *getattr(data, "loaded_sd_models", ())]
    return list({id(model): model for model in models if model is not None}.values())


def _is_on_the_gpu(model: Any) -> bool:
    return any(parameter.device.type not in ("cpu", "meta") for parameter in model.parameters())


def _send_lowvram_away() -> None:
    from modules import lowvram

    lowvram.send_everything_to_cpu()
