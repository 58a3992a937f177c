"""The names that Python, the script and the style sheet share. Everything of the page begins with ``train_gamma_``."""

PREFIX = "train_gamma"
TAB = "tab_train_gamma"
"""What the WebUI calls the tab; the stand-alone page calls its outermost block the same, for the style sheet."""


def element_id(name: str) -> str:
    """The id of one element of the page."""
    return f"{PREFIX}_{name}"


def field_id(key: str) -> str:
    """The id of a field: ``training.max_steps`` is ``train_gamma_training_max_steps``."""
    return element_id(key.replace(".", "_"))
