"""Run by a Python that has diffusers: the pieces of a run, and a run, with the miniature loaded by its path.

usage: python by_path.py FOLDER, with request.json in it; writes pieces.safetensors and the run there.
"""

import json
import sys
from pathlib import Path

import safetensors.torch
import torch

from train_gamma.hosts.load_checkpoint import load_backbone
from train_gamma.training.config import ModelConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.training.entry import start_run
from train_gamma.training.events import Control


def main(folder: Path) -> None:
    request = json.loads((folder / "request.json").read_text("utf-8"))
    inputs = safetensors.torch.load_file(folder / "inputs.safetensors")
    backbone = load_backbone(ModelConfig(path=request["checkpoint"], clip_skip=request["clip_skip"], device="cpu"))
    embeddings = {"zorb": {"clip_l": inputs["rows"].requires_grad_(True)}}
    encoded = backbone.encode_images(inputs["pixels"])
    conditioning = backbone.encode_prompts(request["prompts"], embeddings)
    predicted = backbone.predict(inputs["x_t"], inputs["t"], conditioning)
    predicted.square().mean().backward()
    pieces = {
        "mean": encoded.mean,
        "std": encoded.std,
        "context": conditioning.context,
        "predicted": predicted,
        "gradient": inputs["rows"].grad,
        "alphas_cumprod": backbone.alphas_cumprod,
        "token_table": backbone.token_tables()["clip_l"],
        "tokens": torch.tensor([token.id for token in backbone.tokenize(request["prompts"][0])]),
    }
    safetensors.torch.save_file({k: v.detach().contiguous() for k, v in pieces.items()}, folder / "pieces.safetensors")
    _folder, finished = start_run(from_dict(request["run"]), backbone, lambda _event: None, Control())
    (folder / "finished").write_text(str(finished.path), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
