"""The terminal's view of a run: a bar with time left and pictures a second, and a line for what matters."""

import sys
from typing import Any, TextIO

from tqdm import tqdm

from train_gamma.training.events import (
    Evaluated,
    Event,
    Finished,
    Preparing,
    Previewed,
    Progress,
    Saved,
    Started,
    Warned,
)


class TerminalProgress:
    """A listener that draws a progress bar on standard error."""

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._bar: Any = None
        self._shown: dict[str, str] = {}
        self._images = 0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self._quiet and not isinstance(event, Warned):
            return
        if isinstance(event, Preparing):
            self._prepare(event)
        elif isinstance(event, Started):
            self._open(event)
        elif isinstance(event, Progress):
            self._step(event)
        elif isinstance(event, Finished):
            self._close()
        else:
            self._tell(event)

    def _prepare(self, event: Preparing) -> None:
        if self._bar is None:
            self._bar = tqdm(total=event.total, desc=event.what, unit="picture", file=self._stream)
        self._bar.update(event.done - self._bar.n)
        if event.done >= event.total:
            self._close()

    def _open(self, event: Started) -> None:
        self._close()
        self._bar = tqdm(
            total=event.total_steps,
            initial=event.step,
            desc="Training",
            unit="step",
            file=self._stream,
            dynamic_ncols=True,
        )

    def _step(self, event: Progress) -> None:
        self._images += event.images
        elapsed = max(float(self._bar.format_dict["elapsed"]), 1e-9)
        self._shown |= {"loss": f"{event.loss:.4f}", "img/s": f"{self._images / elapsed:.1f}"}
        self._bar.set_postfix(self._shown, refresh=False)
        self._bar.update(event.step - self._bar.n)

    def _tell(self, event: Saved | Previewed | Evaluated | Warned) -> None:
        if isinstance(event, Evaluated):
            self._shown["evaluation"] = f"{event.loss:.4f}"
        elif isinstance(event, Warned):
            tqdm.write(f"Warning: {event.message}", file=self._stream)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
