"""Train Gamma: textual-inversion embeddings from a folder of pictures."""

__version__ = "0.1.0"
