"""The contract between a job and what is known of its work."""

from pathlib import Path
from typing import Any, Protocol


class Hear(Protocol):
    """What a job's work tells its events to. Any listener of training events can stand in for it."""

    def __call__(self, event: Any) -> None:
        """Take one event.

        Raises:
            StoppedError: if the job was asked to stop and has not begun.
        """


class JobRecord(Protocol):
    """The numbers and words of one job. Every method may be called from any thread."""

    @property
    def folder(self) -> Path | None:
        """The run's folder, None if there is none."""

    @property
    def seconds_per_picture(self) -> float | None:
        """Seconds a training step takes for a picture; None when it is not known, or nothing is trained."""

    @property
    def waiting(self) -> str:
        """What is said before the first event."""

    @property
    def stopping(self) -> str:
        """What is said between a stop and the end."""

    @property
    def doing(self) -> str:
        """What is done with the title: "trained"."""

    def __call__(self, event: Any) -> None:
        """Take one event."""

    def told(self, event: Any) -> tuple[str, str] | None:
        """The state ("preparing" or "running", "" for as it was) and the message after an event; None for no change."""

    def end(self, told: str) -> tuple[str, str]:
        """The state and the message of a job whose work has returned; ``told`` is what the work returned."""

    def failure(self, error: Exception) -> str:
        """The message after an error that nobody foresaw."""

    def snapshot(self, since: int) -> dict[str, Any]:
        """Everything there is to show, as plain JSON values. "seconds" is None for the time since the job began."""

    def named(self, title: str) -> dict[str, str]:
        """What else of a snapshot comes from the job's title."""
