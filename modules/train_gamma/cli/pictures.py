"""``preview`` and ``contact-sheet``."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from train_gamma.errors import UserError


def add_commands(commands: Any) -> None:
    """Add the commands to the parser."""
    preview = commands.add_parser("preview", help="make pictures with an embedding")
    preview.add_argument("source", type=Path, metavar="RUN|EMBEDDING")
    preview.add_argument("--prompt", action="append", required=True, help="in kohya's syntax; [name] is the embedding")
    preview.add_argument("--model", default="", help="checkpoint for an embedding file; a run brings its own")
    preview.add_argument("--out", type=Path, default=Path(), help="folder for the pictures (default: here)")
    preview.set_defaults(run=run_preview)
    sheet = commands.add_parser("contact-sheet", help="put the previews of a run on one sheet, steps by prompts")
    sheet.add_argument("folder", type=Path, metavar="RUN")
    sheet.add_argument("--out", type=Path, help="PNG file (default: contact-sheet.png in the run)")
    sheet.set_defaults(run=run_contact_sheet)


def run_preview(arguments: argparse.Namespace) -> int:
    """Render prompts with an embedding, given as a file or as a run."""
    from train_gamma import atomic
    from train_gamma.embedding.files import read_embedding
    from train_gamma.hosts.load_checkpoint import load_backbone
    from train_gamma.training.config import ModelConfig, PreviewConfig
    from train_gamma.training.previews import named, parse_preview
    from train_gamma.training.run_folder import open_run_folder, read_config

    model, settings = ModelConfig(path=arguments.model), PreviewConfig()
    if arguments.source.is_dir():
        folder = open_run_folder(arguments.source)
        config, _ = read_config(folder)
        settings = config.preview
        model = dataclasses.replace(config.model, path=arguments.model or config.model.path)
        path = folder.path / f"{config.embedding.name}.{config.output.format}"
        if not path.is_file():
            raise UserError(
                f"The run in '{folder.path}' has no finished embedding yet. Resume it, or give one of its copies."
            )
    else:
        path = arguments.source
    previews = [parse_preview(line, settings) for line in arguments.prompt]
    embedding = read_embedding(path)
    backbone = load_backbone(model)
    for index, preview in enumerate(previews):
        picture = backbone.render(named(preview.request, embedding.name), {embedding.name: embedding.vectors})
        target = arguments.out / f"{embedding.name}-preview-{index:02d}.png"
        atomic.write_with(target, lambda file, image=picture: image.save(file, "PNG"))  # type: ignore[misc]
        print(target)
    return 0


def run_contact_sheet(arguments: argparse.Namespace) -> int:
    """Draw the contact sheet of a run."""
    from train_gamma import atomic
    from train_gamma.training.contact_sheet import contact_sheet, preview_rows
    from train_gamma.training.previews import load_previews
    from train_gamma.training.run_folder import open_run_folder, read_config

    folder = open_run_folder(arguments.folder)
    config, _ = read_config(folder)
    prompts = [preview.request.prompt for preview in load_previews(config.preview)]
    sheet = contact_sheet(preview_rows(folder), prompts, config.embedding.name)
    target = arguments.out or folder.path / "contact-sheet.png"
    atomic.write_with(target, lambda file: sheet.save(file, "PNG"))
    print(target)
    return 0
