"""Captions as lists of tags: how they are read, compared, written and backed up. Pure Python."""
