"""A backbone whose turn between steps is given by somebody else."""

from collections.abc import Callable
from typing import Any, cast

from train_gamma.backbone import Backbone


class _GivingWay:
    def __init__(self, backbone: Backbone, give_way: Callable[[], None]) -> None:
        self._backbone = backbone
        self.give_way = give_way

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)


def with_turns(backbone: Backbone, give_way: Callable[[], None]) -> Backbone:
    """``backbone`` itself in everything but ``give_way``, which is the one given."""
    return cast(Backbone, _GivingWay(backbone, give_way))
