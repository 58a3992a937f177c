"""Naming what is in pictures: models described by data, thresholds, and captions of a whole folder."""
