"""Every setting of a run, in frozen dataclasses.

Each field carries a label, help and its range or choices. The command line, the option table of the documentation,
presets and forms are generated from them, so a setting is described in one place.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from train_gamma.errors import raise_all
from train_gamma.training.options import option, range_problems
from train_gamma.training.schedules import schedule_problems

VERSION = 1


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which model is trained on, and how it is run."""

    path: str = option(
        "", label="Checkpoint", help="A .safetensors or .ckpt file, a diffusers folder, or 'miniature'.", path=True
    )
    vae: str = option(
        "",
        label="VAE",
        help="Another VAE file; empty for the checkpoint's own, which is nearly always right.",
        path=True,
    )
    clip_skip: int = option(
        1,
        label="Clip skip",
        help="Use the text encoder's last layer but n-1. Prompt with the same value.",
        minimum=1,
        maximum=12,
    )
    precision: str = option(
        "auto",
        label="Precision",
        help="Of the UNet and text encoder. The vectors are always fp32.",
        choices=("auto", "fp32", "fp16", "bf16"),
    )
    device: str = option(
        "auto", label="Device", help="auto takes cuda, then mps, then cpu.", choices=("auto", "cpu", "cuda", "mps")
    )
    checkpointing: str = option(
        "auto",
        label="Gradient checkpointing",
        help="Saves memory for about a third more time; auto turns it on when memory is short.",
        choices=("auto", "off", "on"),
    )


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """What is learned and where it starts."""

    name: str = option(
        "", label="Name", help="The word you will prompt with; something no caption and no vocabulary has."
    )
    num_vectors: int = option(
        2,
        label="Vectors per token",
        help="More learn faster and further, and cost that many tokens of a prompt.",
        minimum=1,
        maximum=75,
    )
    start: str = option(
        "text",
        label="Start",
        help="What the vectors are before training: the initialization text, the dataset's most frequent tags, "
        "another embedding, zero, or random.",
        choices=("text", "tags", "embedding", "zero", "random"),
    )
    init_text: str = option("girl", label="Initialization text", help="Words near to what is learned.")
    long_text: str = option(
        "refuse",
        label="Text longer than the vectors",
        help="Refuse, or cut it to the first tokens.",
        choices=("refuse", "cut"),
    )
    short_text: str = option(
        "repeat_noise",
        label="Text shorter than the vectors",
        help="Repeat it, repeat it with a little noise, or pad with its mean.",
        choices=("repeat", "repeat_noise", "mean"),
    )
    init_embedding: str = option(
        "", label="Embedding to start from", help="A .pt, .bin, .safetensors or .png file.", path=True
    )


@dataclass(frozen=True, slots=True)
class DatasetConfig:
    """Which pictures are learned from, and how they are cut and described."""

    folder: str = option("", label="Dataset folder", help="The folder with the pictures.", path=True)
    recursive: bool = option(False, label="Include subfolders", help="Look into folders inside the folder too.")
    caption_extensions: tuple[str, ...] = option(
        (".txt", ".caption"), label="Caption files", help="Endings of the caption beside a picture, tried in order."
    )
    filename_captions: bool = option(
        True, label="File name as caption", help="A picture without a caption file is described by its file name."
    )
    filename_regex: str = option(
        "", label="File name regex", help="A1111's: the matches of this in the file name become the words."
    )
    filename_join: str = option(
        " ", label="File name join string", help="A1111's: what the matched words are joined with."
    )
    templates: tuple[str, ...] = option(
        ("[name], [filewords]",),
        label="Prompt templates",
        help="One is drawn at each visit; [name] is the embedding, [filewords] the caption.",
    )
    template_file: str = option(
        "",
        label="Prompt template file",
        help="One template a line; takes the place of the templates above.",
        path=True,
    )
    emphasis: bool = option(
        False,
        label="Emphasis in captions",
        help="Read ( ), [ ] and BREAK in captions as the WebUI's prompts do. Off: captions are literal.",
    )
    shuffle_tags: bool = option(
        True, label="Shuffle tags", help="Draw a new order of the comma-separated tags at each visit."
    )
    keep_tags: int = option(
        0,
        label="Keep first tags",
        help="So many tags stay first when the rest is shuffled or dropped.",
        minimum=0,
        maximum=75,
    )
    tag_dropout: float = option(
        0.0, label="Tag dropout", help="Chance of each tag to be left out at a visit.", minimum=0.0, maximum=1.0
    )
    width: int = option(
        512, label="Width", help="Width times height is the area every picture is brought to.", minimum=64, maximum=2048
    )
    height: int = option(
        512,
        label="Height",
        help="Width times height is the area every picture is brought to.",
        minimum=64,
        maximum=2048,
    )
    bucket_step: int = option(
        64, label="Bucket step", help="Sides of buckets are multiples of this.", minimum=8, maximum=256
    )
    bucket_min: int = option(256, label="Bucket minimum", help="Shortest side of a bucket.", minimum=64, maximum=2048)
    bucket_max: int = option(1024, label="Bucket maximum", help="Longest side of a bucket.", minimum=64, maximum=4096)
    upscale: bool = option(
        True, label="Upscale small pictures", help="Off: a picture smaller than its bucket gets a smaller bucket."
    )
    flip: bool = option(
        False, label="Flip", help="Mirror a picture at half of the visits. Not for asymmetric characters."
    )
    background: str = option(
        "white", label="Background", help="Colour that shows through transparent pictures: a name or #rrggbb."
    )
    latent_sampling: str = option(
        "random",
        label="Latent sampling",
        help="once: one draw for the run; deterministic: the mean; random: a new draw each visit.",
        choices=("once", "deterministic", "random"),
    )
    cache_folder: str = option(
        "",
        label="Latent cache folder",
        help="Keep encoded pictures here between runs; empty for memory only.",
        path=True,
    )


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the vectors are moved."""

    learning_rate: str = option(
        "0.005",
        label="Learning rate",
        help="A number, or A1111's schedule: 0.05:10, 0.02:20, 0.01. Fractions of the run work too: 0.005:50%, 0.001.",
    )
    max_steps: int = option(1000, label="Max steps", help="Optimizer steps in all. 0 to go by epochs.", minimum=0)
    max_epochs: int = option(
        0, label="Max epochs", help="Passes over the pictures; only used when max steps is 0.", minimum=0
    )
    batch_size: int = option(
        4, label="Batch size", help="Pictures that go through the model at once.", minimum=1, maximum=256
    )
    gradient_accumulation: int = option(
        1, label="Gradient accumulation", help="Batches that are added up to one step.", minimum=1, maximum=4096
    )
    full_batch: bool = option(
        False, label="Full batch", help="One step is one pass over all pictures; accumulation is set by itself."
    )
    optimizer: str = option("adamw", label="Optimizer", help="What turns gradients into steps.", choices=("adamw",))
    weight_decay: float = option(
        0.0,
        label="Weight decay",
        help="Pulls the vectors towards zero; 0 is right for embeddings.",
        minimum=0.0,
        maximum=1.0,
    )
    beta1: float = option(0.9, label="Adam beta 1", help="Memory of the gradient's mean.", minimum=0.0, maximum=0.9999)
    beta2: float = option(
        0.999, label="Adam beta 2", help="Memory of the gradient's square.", minimum=0.0, maximum=0.99999
    )
    epsilon: float = option(
        1e-8, label="Adam epsilon", help="Keeps the division from zero.", minimum=1e-16, maximum=1.0
    )
    clip_mode: str = option(
        "off",
        label="Gradient clipping",
        help="Limit the gradient's norm over all vectors, or each value.",
        choices=("off", "norm", "value"),
    )
    clip_value: str = option(
        "1.0", label="Gradient clip value", help="The limit: a number or a schedule like the learning rate's."
    )
    timestep_sampling: str = option(
        "uniform",
        label="Timesteps",
        help="uniform, or high_noise: t = 1000 sqrt(u), more of the steps in which layout and colour are decided.",
        choices=("uniform", "high_noise"),
    )
    min_timestep: int = option(
        0, label="Lowest timestep", help="No training below this timestep.", minimum=0, maximum=999
    )
    max_timestep: int = option(
        999, label="Highest timestep", help="No training above this timestep.", minimum=0, maximum=999
    )
    seed: int = option(
        0,
        label="Seed",
        help="Of the start, order, noise, timesteps, templates, shuffle, dropout and flips.",
        minimum=0,
        maximum=2**63 - 1,
    )
    max_nonfinite_steps: int = option(
        5,
        label="Stop after non-finite losses",
        help="So many steps in a row with NaN or infinite loss or gradient end the run.",
        minimum=1,
        maximum=1000,
    )
    evaluate_every_n_steps: int = option(
        50,
        label="Evaluate every n steps",
        help="The loss on fixed pictures, noise and timesteps, to compare steps by. 0: only before and after.",
        minimum=0,
    )
    evaluation_batches: int = option(
        4,
        label="Evaluation batches",
        help="More give a steadier evaluation loss and take longer.",
        minimum=1,
        maximum=256,
    )


@dataclass(frozen=True, slots=True)
class PreviewConfig:
    """Pictures made on the way."""

    every_n_steps: int = option(0, label="Preview every n steps", help="0 for none.", minimum=0)
    at_start: bool = option(True, label="Preview at step 0", help="Shows what the untrained embedding gives.")
    prompts: tuple[str, ...] = option(
        (),
        label="Preview prompts",
        help="kohya's syntax: prompt --n negative --w width --h height --d seed --l guidance --s steps, with [name].",
    )
    prompt_file: str = option(
        "",
        label="Preview prompt file",
        help="One prompt a line, # starts a comment; added to the prompts above.",
        path=True,
    )
    width: int = option(512, label="Preview width", help="In pixels.", minimum=64, maximum=2048)
    height: int = option(512, label="Preview height", help="In pixels.", minimum=64, maximum=2048)
    steps: int = option(20, label="Preview sampling steps", help="DDIM steps.", minimum=1, maximum=1000)
    guidance_scale: float = option(7.0, label="Preview guidance scale", help="CFG scale.", minimum=1.0, maximum=30.0)
    seed: int = option(
        1,
        label="Preview seed",
        help="The same at every preview, so that pictures can be compared.",
        minimum=0,
        maximum=2**63 - 1,
    )


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """What is written, and where."""

    folder: str = option("runs", label="Runs folder", help="Each run makes a folder of its own in it.", path=True)
    format: str = option(
        "safetensors", label="Format", help="Of the finished embedding.", choices=("safetensors", "pt", "png")
    )
    save_every_n_steps: int = option(
        100,
        label="Save a copy every n steps",
        help="Copies named by the steps really done, with what is needed to resume. 0 for only the last.",
        minimum=0,
    )
    export_to: str = option(
        "",
        label="Copy the embedding to",
        help="Folder that gets a copy of the finished embedding, such as the WebUI's embeddings folder.",
        path=True,
    )
    overwrite: bool = option(False, label="Overwrite", help="Allow the copy to replace an embedding of the same name.")
    tensorboard: bool = option(
        False, label="TensorBoard", help="Write loss and learning rate for TensorBoard, if it is installed."
    )


@dataclass(frozen=True, slots=True)
class RunConfig:
    """The whole configuration of a run; what ``config.json`` holds."""

    model: ModelConfig = field(default_factory=ModelConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    preview: PreviewConfig = field(default_factory=PreviewConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    def __post_init__(self) -> None:
        """Check every value; one ``UserError`` lists all problems."""
        problems: list[str] = []
        for section in dataclasses.fields(self):
            problems += range_problems(getattr(self, section.name))
        problems += _cross_problems(self)
        raise_all(problems)

    def to_dict(self) -> dict[str, Any]:
        """The configuration as plain JSON values, with the version of its layout."""
        return {"version": VERSION, **dataclasses.asdict(self)}


def _cross_problems(config: RunConfig) -> list[str]:
    training, dataset = config.training, config.dataset
    problems = []
    if training.max_steps == 0 and training.max_epochs == 0:
        problems.append("Max steps and Max epochs are both 0, so nothing would be trained. Set one of them.")
    if training.min_timestep > training.max_timestep:
        problems.append(
            f"Lowest timestep ({training.min_timestep}) must not be above Highest timestep ({training.max_timestep})."
        )
    if dataset.bucket_min > dataset.bucket_max:
        problems.append(
            f"Bucket minimum ({dataset.bucket_min}) must not be above Bucket maximum ({dataset.bucket_max})."
        )
    problems += schedule_problems("Learning rate", training.learning_rate, training.max_steps)
    if training.clip_mode != "off":
        problems += schedule_problems("Gradient clip value", training.clip_value, training.max_steps)
    return problems
