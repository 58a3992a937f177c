"""The check before the start: one report of everything that would spoil a run, each finding with its fix."""

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from train_gamma.backbone import Backbone
from train_gamma.dataset.dataset import Dataset
from train_gamma.doctor.examine import Examination, examine, examine_dataset
from train_gamma.doctor.findings import REFUSED_KINDS
from train_gamma.doctor.material import Target
from train_gamma.embedding.names import check_name
from train_gamma.embedding.start import start_vectors
from train_gamma.errors import UserError
from train_gamma.training.config import RunConfig
from train_gamma.training.plan import Plan
from train_gamma.training.previews import load_previews

Level = Literal["error", "warning", "note"]
LOW_RATE, HIGH_RATE = 1e-5, 0.5
EMBEDDING_ENDINGS = (".pt", ".bin", ".safetensors", ".png", ".webp")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the user should know before the start. Errors block, warnings explain, notes inform."""

    level: Level
    message: str
    fix: str = ""

    def __str__(self) -> str:
        """The message and the fix in one sentence after the other."""
        return f"{self.message} {self.fix}".strip()


def examine_run(config: RunConfig, backbone: Backbone, dataset: Dataset) -> Examination:
    """The doctor's word on the pictures of a run. They are not opened again."""
    return examine_dataset(dataset, target_of(config, backbone))


def target_of(config: RunConfig, backbone: Backbone) -> Target:
    """What the doctor is told of a run."""
    embedding = config.embedding
    words = embedding.init_text if embedding.start == "text" else ""
    return Target(embedding.name, embedding.num_vectors, words, lambda text: len(backbone.tokenize(text)))


def check_run(
    config: RunConfig, backbone: Backbone, dataset: Dataset, plan: Plan, examination: Examination | None = None
) -> list[Finding]:
    """Check a run without doing any work on the model. Errors come first.

    Args:
        config: of the run.
        backbone: is only asked for its words.
        dataset: its pictures.
        plan: its numbers.
        examination: of those pictures, if there is one already.
    """
    examination = examination or examine_run(config, backbone, dataset)
    findings = [
        *_name(config, backbone),
        *export_findings(config),
        *_start(config, backbone, dataset),
        *_previews(config),
        *dataset_findings(examination),
        *_rates(config, plan),
        *_model(backbone),
        *_batch(dataset, plan),
    ]
    return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.level))


def dataset_findings(examination: Examination, but: Container[str] = ()) -> list[Finding]:
    """The doctor's findings before a run. What spoils a picture is no error here: the run can be made all the same.

    Args:
        examination: what was found.
        but: kinds of findings to leave out.
    """
    return [
        Finding("warning" if found.level == "error" else found.level, found.message, found.fix)
        for found in examination.findings
        if found.kind not in but
    ]


def refused_findings(error: UserError, config: RunConfig, backbone: Backbone) -> list[Finding]:
    """Why a dataset cannot be loaded, and what else the doctor says of it."""
    refused = [Finding("error", line.removeprefix("- ")) for line in str(error).splitlines()]
    try:
        examination = examine(config.dataset, target_of(config, backbone))
    except UserError:  # the folder or the settings are the reason
        return refused
    return refused + dataset_findings(examination, but=REFUSED_KINDS)


def report(findings: list[Finding]) -> str:
    """The findings as text, a line each."""
    return "\n".join(f"{finding.level:8}{finding}" for finding in findings)


def _name(config: RunConfig, backbone: Backbone) -> list[Finding]:
    folder = Path(config.output.export_to) if config.output.export_to else None
    found = sorted(folder.glob("*")) if folder and folder.is_dir() else []
    others = [path.stem for path in found if path.suffix.lower() in EMBEDDING_ENDINGS]
    others = [name for name in others if not name.lower().endswith(".preview")]  # pictures of cards
    if config.output.overwrite:
        others = [name for name in others if name != config.embedding.name]
    findings = check_name(config.embedding.name, backbone.tokenize, others)
    return [Finding(f.level, f.message, f.fix) for f in findings]


def export_findings(config: RunConfig) -> list[Finding]:
    """What is wrong with the place for the finished embedding."""
    if not config.output.export_to:
        return []
    folder = Path(config.output.export_to)
    if not folder.is_dir():
        return [
            Finding(
                "error",
                f"The folder '{folder}' for the finished embedding does not exist.",
                "Make it, or change output.export_to.",
            )
        ]
    target = folder / f"{config.embedding.name}.{config.output.format}"
    if target.exists() and not config.output.overwrite:
        return [
            Finding(
                "error",
                f"There is an embedding '{target}' already.",
                "Choose another name, or set output.overwrite=true.",
            )
        ]
    return []


def _start(config: RunConfig, backbone: Backbone, dataset: Dataset) -> list[Finding]:
    tags = dataset.frequent_tags(config.embedding.name)
    try:
        start_vectors(config.embedding, backbone, config.training.seed, tags)
    except UserError as error:
        return [Finding("error", str(error))]
    if config.embedding.start == "zero":
        return [
            Finding(
                "warning",
                "The vectors start at zero, far from any word of the vocabulary.",
                "Text or random starts learn faster.",
            )
        ]
    return []


def _previews(config: RunConfig) -> list[Finding]:
    try:
        previews = load_previews(config.preview)
    except UserError as error:
        return [Finding("error", str(error))]
    name = config.embedding.name
    without = [p.line for p in previews if "[name]" not in p.line and name not in p.line]
    if config.preview.every_n_steps and without:
        return [Finding("warning", f"Preview '{without[0]}' does not show the embedding.", "Put [name] into it.")]
    return []


def _rates(config: RunConfig, plan: Plan) -> list[Finding]:
    low, high = min(plan.learning_rate.values), max(plan.learning_rate.values)
    findings = []
    if low < LOW_RATE:
        findings.append(
            Finding(
                "warning",
                f"Learning rate {low:g} hardly moves a vector: AdamW changes a value by at most that much a step.",
                "0.005 is usual.",
            )
        )
    if high > HIGH_RATE:
        findings.append(
            Finding(
                "warning", f"Learning rate {high:g} is far above the usual 0.005.", "Expect noise instead of a picture."
            )
        )
    if config.training.weight_decay > 0:
        findings.append(
            Finding(
                "warning",
                f"Weight decay {config.training.weight_decay:g} pulls the vectors towards zero.",
                "0 is right for embeddings.",
            )
        )
    return findings


def _model(backbone: Backbone) -> list[Finding]:
    identity = backbone.identity
    findings = []
    if identity.vae_hash != identity.model_hash:
        findings.append(
            Finding(
                "warning",
                f"The pictures are encoded with the VAE '{identity.vae_name}', not the checkpoint's own.",
                "A foreign VAE is the classic cause of burnt embeddings; leave VAE empty unless you mean it.",
            )
        )
    if identity.clip_skip != 1:
        findings.append(Finding("note", f"Trained with clip skip {identity.clip_skip}.", "Prompt with the same value."))
    return findings


def _batch(dataset: Dataset, plan: Plan) -> list[Finding]:
    count = len(dataset.items)
    seen = plan.total_steps * plan.samples_per_step
    summary = (
        f"{count} pictures, {plan.samples_per_step} a step, {plan.total_steps} steps: "
        f"every picture is seen {seen / count:.1f} times."
    )
    return [Finding("note", summary)]
