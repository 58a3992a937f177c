"""What the WebUI brings along that names what is in pictures."""

from collections.abc import Sequence

from train_gamma.hosts.webui_blip import HostBlip
from train_gamma.hosts.webui_deepbooru import HostDeepDanbooru, Moment
from train_gamma.tagging.interrogator import HostInterrogator


def interrogators(moment: Moment) -> Sequence[HostInterrogator]:
    """DeepDanbooru and BLIP; where the WebUI has none, their entries say so.

    Args:
        moment: gives the GPU for one batch, see ``webui_room.Gpu.moment``.
    """
    return HostDeepDanbooru(moment), HostBlip(moment)
