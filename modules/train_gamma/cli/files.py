"""``inspect`` and ``convert``."""

import argparse
import json
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    inspect = commands.add_parser("inspect", help="say what is in an embedding file")
    inspect.add_argument("file", type=Path)
    inspect.add_argument("--model", default="", help="checkpoint whose vocabulary the vectors are compared with")
    inspect.add_argument("--json", action="store_true", help="print one JSON object")
    inspect.set_defaults(run=run_inspect)
    convert = commands.add_parser("convert", help="write an embedding in another format")
    convert.add_argument("source", type=Path, metavar="IN")
    convert.add_argument("target", type=Path, metavar="OUT", help="the ending says the format: .safetensors .pt .png")
    convert.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    convert.set_defaults(run=run_convert)


def run_convert(arguments: argparse.Namespace) -> int:
    """Read an embedding and write it in the format of the target's ending."""
    from train_gamma.embedding.files import read_embedding, write_embedding

    embedding = read_embedding(arguments.source)
    if arguments.target.exists() and not arguments.overwrite:
        raise UserError(f"'{arguments.target}' exists already. Choose another name or add --overwrite.")
    write_embedding(embedding, arguments.target)
    print(f"{arguments.target}: {embedding.num_vectors} vectors")
    return 0


def run_inspect(arguments: argparse.Namespace) -> int:
    """Print vectors, norms, nearest tokens and what the file says about its making."""
    from train_gamma.embedding.files import read_embedding
    from train_gamma.embedding.inspection import inspect

    embedding = read_embedding(arguments.file)
    tables, decode = _vocabulary(arguments.model) if arguments.model else (None, None)
    report = inspect(embedding, tables, decode)
    print(json.dumps(report.to_dict(), ensure_ascii=False) if arguments.json else report.to_text())
    return 0


def _vocabulary(model: str) -> tuple[Any, Any]:
    """The token tables of a checkpoint and the text of its tokens."""
    from train_gamma.hosts.load_checkpoint import load_backbone
    from train_gamma.training.config import ModelConfig

    backbone = load_backbone(ModelConfig(path=model))
    return backbone.token_tables(), backbone.token_text
