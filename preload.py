"""Flags for the WebUI's command line. Runs before anything else is imported, so it needs argparse alone."""

import argparse


def preload(parser: argparse.ArgumentParser) -> None:
    """Add Train Gamma's flags; the defaults stay None, because the flags may be missing altogether."""
    parser.add_argument(
        "--train-gamma-runs-dir",
        type=str,
        default=None,
        help="Train Gamma: the folder in which runs make their folders (default: textual_inversion/train_gamma/runs)",
    )
    parser.add_argument(
        "--train-gamma-taggers-dir",
        type=str,
        default=None,
        help="Train Gamma: the folder of models that tag pictures (default: models/train-gamma-taggers)",
    )
    parser.add_argument(
        "--train-gamma-readable-dir",
        type=str,
        action="append",
        default=None,
        help="Train Gamma: a folder that may be read when the WebUI is open to other machines; may be given repeatedly",
    )
