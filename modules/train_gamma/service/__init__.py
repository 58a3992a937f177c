"""Everything the page and the API can do, as plain Python."""

from train_gamma.service.embeddings import EmbeddingSummary
from train_gamma.service.looking import Derived, StartPreview
from train_gamma.service.presets import Presets
from train_gamma.service.runs import RunSummary
from train_gamma.service.service import Service

__all__ = ["Derived", "EmbeddingSummary", "Presets", "RunSummary", "Service", "StartPreview"]
