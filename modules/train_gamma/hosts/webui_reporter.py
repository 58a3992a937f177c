"""What hears the events of a job and shows it in the WebUI, whether or not the job has the model."""

import logging
from collections.abc import Callable

from train_gamma.hosts.webui_state import StateMirror
from train_gamma.training.events import Event, Finished

_log = logging.getLogger("train_gamma")


class WebuiReporter:
    """A ``Listener`` for one job.

    A job that borrows the model, or has the GPU to itself, is shown for that time. Before and after, and if it needs
    neither, it is shown from its first event to its ``Finished`` whenever nobody else has work in the queue.

    Attributes:
        mirror: shows the job.
        give_way: lets others have the GPU between two events, None while it is not ours.
    """

    def __init__(self, mirror: StateMirror) -> None:
        self.mirror = mirror
        self.give_way: Callable[[], None] | None = None

    def __call__(self, event: Event) -> None:
        """Show an event. What goes wrong in the host is logged and does the job no harm."""
        over = isinstance(event, Finished)
        if not self.mirror.begun and not over:
            _unharmed(lambda: self.mirror.begin(alone=False))
        self.mirror(event)
        if over:
            _unharmed(self.leave)
        elif self.give_way is not None:
            self.mirror.give_way(self.give_way)

    def leave(self) -> None:
        """The job is over: nothing of it stays in the state."""
        if self.mirror.begun and not self.mirror.alone:
            self.mirror.end()
            self.mirror.leave()


def _unharmed(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception:  # the host's side, as in the mirror
        _log.exception("The WebUI could not show a job.")
