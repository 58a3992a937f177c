"""Setting up a run, new or resumed, and handing it to the loop."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch

from train_gamma.backbone import Backbone
from train_gamma.dataset.dataset import Dataset, load_dataset
from train_gamma.dataset.latents import LatentCache
from train_gamma.dataset.order import Order
from train_gamma.doctor.report import write_report
from train_gamma.embedding.start import start_vectors
from train_gamma.errors import UserError, raise_all
from train_gamma.training.batches import evaluation_batches
from train_gamma.training.config import RunConfig
from train_gamma.training.config_reading import from_dict
from train_gamma.training.events import Control, Finished, Listener, Preparing, Started, Warned
from train_gamma.training.listeners import recorders
from train_gamma.training.loop import train
from train_gamma.training.loss_scale import LossScale
from train_gamma.training.optimizers import load_optimizer_tensors, make_optimizer
from train_gamma.training.plan import make_plan
from train_gamma.training.preflight import check_run, dataset_findings, examine_run, export_findings
from train_gamma.training.previews import load_previews
from train_gamma.training.run import Run
from train_gamma.training.run_folder import (
    RunFolder,
    new_run_folder,
    open_run_folder,
    read_config,
    read_manifest,
    write_config,
    write_manifest,
)
from train_gamma.training.state import State, load_state


def start_run(
    config: RunConfig, backbone: Backbone, listener: Listener, control: Control
) -> tuple[RunFolder, Finished]:
    """Check everything, make the run's folder and train.

    Raises:
        UserError: if the check before the start finds errors, or the embedding cannot be written at the end.
    """
    dataset = load_dataset(config.dataset, config.embedding.name)
    examination = examine_run(config, backbone, dataset)
    findings = check_run(config, backbone, dataset, make_plan(config, len(dataset.items)), examination)
    raise_all([str(finding) for finding in findings if finding.level == "error"])
    tags = dataset.frequent_tags(config.embedding.name)
    vectors = start_vectors(config.embedding, backbone, config.training.seed, tags)
    folder = new_run_folder(Path(config.output.folder), config.embedding.name)
    write_config(folder, config, backbone.identity)
    write_manifest(folder, dataset.manifest())
    of_pictures = dataset_findings(examination)
    write_report(examination, folder.path, [finding for finding in findings if finding not in of_pictures])
    listener = recorders(folder, config.output.tensorboard, listener)
    run = _make_run(config, backbone, dataset, vectors, folder, listener, control)
    for finding in findings:
        if finding.level == "warning":
            listener(Warned(0, str(finding)))
    return folder, _go(run)


def resume_run(
    path: Path, backbone: Backbone, listener: Listener, control: Control, changes: dict[str, Any] | None = None
) -> tuple[RunFolder, Finished]:
    """Go on with the run in ``path`` from its last saved state.

    Args:
        path: the run's folder.
        backbone: must lend the very model, VAE and clip skip the run was begun with.
        listener: hears the events of the rest of the run.
        control: gives commands.
        changes: settings to change, as nested values; only those that do not alter what a step means.

    Raises:
        UserError: if the model, the pictures or the captions are not those of the run, or it is over already.
    """
    folder = open_run_folder(path)
    config, identity = resumed_config(folder, changes)
    state = load_state(folder.state)
    dataset = load_dataset(config.dataset, config.embedding.name)
    raise_all(identity_problems(identity, backbone) + _manifest_problems(folder, dataset))
    if state.step >= make_plan(config, len(dataset.items)).total_steps:
        raise UserError(
            f"The run in '{path}' is over: all {state.step} steps are done. "
            f"To train on, raise the number: --set training.max_steps={state.step * 2}."
        )
    load_previews(config.preview)  # whatever is refused is refused before anything is written
    if {"export_to", "format"} & set((changes or {}).get("output", {})):
        raise_all([str(finding) for finding in export_findings(config)])
    write_config(folder, config, backbone.identity)
    listener = recorders(folder, config.output.tensorboard, listener)
    run = _make_run(config, backbone, dataset, state.vectors, folder, listener, control)
    _restore(run, state)
    return folder, _go(run)


def resumed_config(folder: RunFolder, changes: dict[str, Any] | None) -> tuple[RunConfig, dict[str, Any]]:
    """The configuration of a run to resume, and the model's identity as recorded.

    Raises:
        UserError: if ``changes`` touch a setting that would make the rest of the run another experiment.
    """
    config, identity = read_config(folder)
    changed = from_dict(changes or {}, config)
    raise_all(
        [
            f"{section}.{name} cannot be changed on resume (from {old!r} to {new!r}). Start a new run instead, "
            f"with embedding.start=embedding to begin where this one stands."
            for section, name, old, new in _differences(config, changed)
            if section not in ("preview", "output") and (section, name) not in _CHANGEABLE
        ]
    )
    return changed, identity


_CHANGEABLE = {
    ("training", "max_steps"),
    ("training", "max_epochs"),
    ("training", "learning_rate"),
    ("training", "clip_value"),
    ("training", "max_nonfinite_steps"),
    ("training", "evaluate_every_n_steps"),
    ("dataset", "cache_folder"),
    ("model", "path"),
    ("model", "vae"),
    ("model", "device"),
    ("model", "checkpointing"),
}


def _differences(old: RunConfig, new: RunConfig) -> list[tuple[str, str, Any, Any]]:
    pairs = [(s.name, getattr(old, s.name), getattr(new, s.name)) for s in dataclasses.fields(RunConfig)]
    return [
        (section, f.name, getattr(before, f.name), getattr(after, f.name))
        for section, before, after in pairs
        for f in dataclasses.fields(before)
        if getattr(before, f.name) != getattr(after, f.name)
    ]


def identity_problems(recorded: dict[str, Any], backbone: Backbone) -> list[str]:
    """A sentence for each of checkpoint, VAE and clip skip that is not what the run was begun with."""
    words = {"model_hash": "checkpoint", "vae_hash": "VAE", "clip_skip": "clip skip"}
    problems = []
    for key, word in words.items():
        now = getattr(backbone.identity, key)
        if recorded.get(key) != now:
            problems.append(
                f"The run was begun with {word} {recorded.get(key)}, now it is {now}. Use the same to resume."
            )
    return problems


def _manifest_problems(folder: RunFolder, dataset: Dataset) -> list[str]:
    if json.loads(json.dumps(dataset.manifest())) == read_manifest(folder):
        return []
    message = (
        f"The pictures or captions in '{dataset.config.folder}' are not those the run was begun with (see "
        f"{folder.manifest}). Put them back, or start a new run with embedding.start=embedding."
    )
    return [message]


def _make_run(  # noqa: PLR0913, PLR0917 - the one place where a run is put together
    config: RunConfig,
    backbone: Backbone,
    dataset: Dataset,
    vectors: dict[str, torch.Tensor],
    folder: RunFolder,
    listener: Listener,
    control: Control,
) -> Run:
    plan = make_plan(config, len(dataset.items))
    cache = Path(config.dataset.cache_folder) if config.dataset.cache_folder else None
    latents = LatentCache(dataset, backbone.encode_images, backbone.identity.vae_hash, cache, config.dataset.flip)

    def encoded(done: int, total: int) -> None:
        listener(Preparing("Encoding pictures", done, total))
        backbone.give_way()

    with backbone.lend("off"):
        latents.fill(encoded)
    for message in latents.warnings:
        listener(Warned(0, message))
    leaves = {
        key: value.detach().to(backbone.device, torch.float32).clone().requires_grad_(True)
        for key, value in vectors.items()
    }
    return Run(
        config=config,
        backbone=backbone,
        dataset=dataset,
        latents=latents,
        order=Order(
            [item.fit.bucket for item in dataset.items],
            config.training.batch_size,
            plan.samples_per_step,
            config.training.seed,
        ),
        evaluation=evaluation_batches(config, dataset, latents),
        previews=load_previews(config.preview),
        learning_rate=plan.learning_rate,
        clip_value=plan.clip_value,
        total_steps=plan.total_steps,
        samples_per_step=plan.samples_per_step,
        folder=folder,
        listener=listener,
        control=control,
        vectors=leaves,
        optimizer=make_optimizer(config.training, list(leaves.values())),
        loss_scale=LossScale(enabled=backbone.dtype == torch.float16),
    )


def _restore(run: Run, state: State) -> None:
    run.step, run.skipped, run.nonfinite = state.step, state.skipped, state.nonfinite
    run.loss_scale.scale, run.loss_scale.good_steps = state.scale, state.good_steps
    run.seconds_before = state.seconds
    load_optimizer_tensors(run.optimizer, state.optimizer)


def _go(run: Run) -> Finished:
    run.listener(Started(run.step, run.total_steps, run.folder.path))
    return train(run)
