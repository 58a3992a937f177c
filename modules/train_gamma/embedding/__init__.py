"""Embeddings: their vectors, how they start, what they may be called and how they are stored."""
