"""The HTTP interface, the same in the WebUI and stand-alone: ``/train-gamma/v1/``."""

from train_gamma.api.access import AccessRules
from train_gamma.api.routes import PREFIX, add_routes

__all__ = ["PREFIX", "AccessRules", "add_routes"]
