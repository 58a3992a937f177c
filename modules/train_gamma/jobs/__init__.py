"""One job at a time, in a worker thread of its own, and what is known of it."""

from train_gamma.jobs.jobs import BusyError, Job, Jobs, StoppedError
from train_gamma.jobs.record import Record
from train_gamma.jobs.step_record import StepRecord
from train_gamma.jobs.tag_record import TagRecord

__all__ = ["BusyError", "Job", "Jobs", "Record", "StepRecord", "StoppedError", "TagRecord"]
