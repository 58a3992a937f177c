"""Our trainer beside the WebUI's own and MonkeyPatch's, in the same WebUI: seconds per step and memory.

Usage: ``OMP_NUM_THREADS=1 WEBUI/venv/bin/python tools/benchmark_trainers.py --webui WEBUI [--monkeypatch CLONE]
[--size 64] [--batch 4] [--steps 60] [--pictures 24] [--vectors 2] [--rounds 2]``

Each trainer has a process and a data folder of its own, with the miniature checkpoint, the same drawn pictures and
captions, batch and learning rate, no previews and no copies. A step is timed from one to the next, and the median of
all steps but the first five counts. Memory is the highest resident size while it trains, and how much of that came on
top of the loaded WebUI.

``--monkeypatch`` is a clone of aria1th/Hypernetwork-MonkeyPatch-Extension. It trains with the attention that the WebUI
has chosen; the WebUI's own has the optimised one taken away, as its tab and its API do.

With torch 2.2 and later the WebUI's own trainer fails in ``GroupedBatchSampler.__init__``, which calls an ``__init__``
that takes no argument any more. That one call is mended here at run time, so that it can be measured at all. For
MonkeyPatch, TensorBoard's writer is replaced by nothing where TensorBoard is not installed; it is not used.
"""

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "modules"), str(ROOT)]

from PIL import Image  # noqa: E402

from tests.host.launching import ENVIRONMENT, FLAGS, make_data_folder  # noqa: E402
from train_gamma.demo.samples import write_dataset  # noqa: E402
from train_gamma.hosts.webui_backbone import borrowed  # noqa: E402
from train_gamma.training.config_reading import from_dict  # noqa: E402
from train_gamma.training.entry import start_run  # noqa: E402
from train_gamma.training.events import Control, Event, Progress  # noqa: E402

NAME = "zorb"
LEARNING_RATE = "0.005"
WARM_UP = 5
TRAINERS = ("Train Gamma", "WebUI", "MonkeyPatch")

Marks = list[tuple[float, float]]
"""When a step was done: by the clock, and in seconds that the process has computed."""


def main() -> None:
    """Measure every trainer, each in a process of its own, and print the table."""
    arguments = parse()
    if arguments.trainer:
        print("RESULT " + json.dumps(measure(arguments)))
        return
    trainers = [name for name in TRAINERS if name != "MonkeyPatch" or arguments.monkeypatch]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in trainers}
    for _ in range(arguments.rounds):  # in turn, so that a busy minute does not fall on one alone
        for name in trainers:
            results[name].append(in_a_process(name))
    print(table(results, arguments))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--webui", type=Path, required=True)
    parser.add_argument("--monkeypatch", type=Path)
    for name, value in {"size": 64, "batch": 4, "steps": 60, "pictures": 24, "vectors": 2, "rounds": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--trainer", choices=TRAINERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def in_a_process(trainer: str) -> dict[str, float]:
    """Run this script again for one trainer."""
    done = subprocess.run(
        [sys.executable, *sys.argv, "--trainer", trainer], check=False, capture_output=True, text=True
    )
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            result: dict[str, float] = json.loads(line.removeprefix("RESULT "))
            print(f"{trainer}: {result}", file=sys.stderr)
            return result
    raise SystemExit(f"{trainer} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Boot the WebUI and train with one trainer in it."""
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary)
        boot(arguments.webui.resolve(), data)
        draw_pictures(data / "pictures", arguments)
        train = {"Train Gamma": ours, "WebUI": native, "MonkeyPatch": monkeypatch}[arguments.trainer]
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", "utf-8")  # the most there has been begins anew
        marks: Marks = []
        train(data, arguments, marks)
        peak = memory("VmHWM")
    if len(marks) < arguments.steps:
        raise SystemExit(f"only {len(marks)} of {arguments.steps} steps were done")
    marks = marks[-arguments.steps :]  # a progress bar may have been there for reading the pictures, too
    steps = list(zip(marks[WARM_UP:-1], marks[WARM_UP + 1 :], strict=True))
    return {
        "seconds_per_step": statistics.median(after[0] - at[0] for at, after in steps),
        "computed_per_step": statistics.median(after[1] - at[1] for at, after in steps),
        "peak_mib": peak,
        "added_mib": peak - before,
    }


def mark(marks: Marks) -> None:
    """A step is done."""
    marks.append((time.perf_counter(), time.process_time()))


def boot(webui: Path, data: Path) -> None:
    """Load the WebUI into this process, with a data folder of its own."""
    flags = make_data_folder(data)
    sys.argv = [sys.argv[0], *FLAGS, *flags]
    os.environ.update({key: value for key, value in ENVIRONMENT.items() if key not in os.environ})
    os.chdir(webui)
    sys.path.insert(0, str(webui))
    initialize: Any = importlib.import_module("modules.initialize")
    initialize.imports()
    initialize.initialize()
    shared: Any = importlib.import_module("modules.shared")
    assert shared.sd_model is not None


def draw_pictures(folder: Path, arguments: argparse.Namespace) -> None:
    """Pictures of the very size that is trained, so that every trainer takes them as they are."""
    for path in write_dataset(9004, folder, arguments.pictures):
        with Image.open(path) as picture:
            resized = picture.convert("RGB").resize((arguments.size, arguments.size))
        resized.save(path)


def ours(data: Path, arguments: argparse.Namespace, marks: Marks) -> None:
    """A run of this project, lent by the WebUI."""

    def listen(event: Event) -> None:
        if isinstance(event, Progress):
            mark(marks)

    size = arguments.size
    config = from_dict(
        {
            "embedding": {"name": NAME, "num_vectors": arguments.vectors, "init_text": "girl"},
            "dataset": {"folder": str(data / "pictures"), "width": size, "height": size, "bucket_min": min(size, 64)},
            "training": {
                "learning_rate": LEARNING_RATE,
                "max_steps": arguments.steps,
                "batch_size": arguments.batch,
                "evaluate_every_n_steps": 0,
            },
            "preview": {"every_n_steps": 0},
            "output": {"folder": str(data / "runs"), "save_every_n_steps": 0},
        }
    )
    control = Control()
    with borrowed(config.model, control) as backbone:
        start_run(config, backbone, listen, control)


def native(data: Path, arguments: argparse.Namespace, marks: Marks) -> None:
    """The WebUI's own "Train Embedding", as its API starts it."""
    dataset: Any = importlib.import_module("modules.textual_inversion.dataset")
    base = dataset.GroupedBatchSampler.__mro__[1]
    original = base.__init__
    base.__init__ = lambda self, *_: original(self)  # its argument went away with torch 2.2
    hijack: Any = importlib.import_module("modules.sd_hijack")
    trainer: Any = importlib.import_module("modules.textual_inversion.textual_inversion")
    create(arguments)
    template = write_template(data)
    count_steps(marks)
    hijack.undo_optimizations()
    trainer.train_embedding(
        **asked_for(data, arguments),
        varsize=False,
        clip_grad_mode="disabled",
        clip_grad_value="0.1",
        use_weight=False,
        template_filename=template.name,
        preview_sampler_name="Euler a",
    )


def monkeypatch(data: Path, arguments: argparse.Namespace, marks: Marks) -> None:
    """MonkeyPatch's ``train_embedding``."""
    sys.path.insert(0, str(arguments.monkeypatch.resolve()))
    if importlib.util.find_spec("tensorboard") is None:
        stub = types.ModuleType("torch.utils.tensorboard")
        vars(stub)["SummaryWriter"] = object
        sys.modules["torch.utils.tensorboard"] = stub
    shared: Any = importlib.import_module("modules.shared")
    for name in ("disable_ema", "pin_memory"):
        shared.opts.data.setdefault(name, False)  # settings of its own
    trainer: Any = importlib.import_module("patches.external_pr.textual_inversion")
    create(arguments)
    template = write_template(data)
    count_steps(marks)
    trainer.train_embedding(**asked_for(data, arguments), template_file=str(template), preview_sampler_index=0)


def asked_for(data: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """What both of them are told; the text-to-image settings are for previews, which are not made."""
    return {
        "id_task": "task",
        "embedding_name": NAME,
        "learn_rate": LEARNING_RATE,
        "batch_size": arguments.batch,
        "gradient_step": 1,
        "data_root": str(data / "pictures"),
        "log_directory": str(data / "logs"),
        "training_width": arguments.size,
        "training_height": arguments.size,
        "steps": arguments.steps,
        "shuffle_tags": False,
        "tag_drop_out": 0,
        "latent_sampling_method": "once",
        "create_image_every": 0,
        "save_embedding_every": arguments.steps * 2,  # with both at 0 there is no log folder, and it fails
        "save_image_with_stored_embedding": False,
        "preview_from_txt2img": False,
        "preview_prompt": "",
        "preview_negative_prompt": "",
        "preview_steps": 20,
        "preview_cfg_scale": 7.0,
        "preview_seed": 1,
        "preview_width": arguments.size,
        "preview_height": arguments.size,
    }


def create(arguments: argparse.Namespace) -> None:
    """An embedding in the WebUI's database, as its tab makes one."""
    shared: Any = importlib.import_module("modules.shared")
    hijack: Any = importlib.import_module("modules.sd_hijack")
    inversion: Any = importlib.import_module("modules.textual_inversion.textual_inversion")
    rows = shared.sd_model.cond_stage_model.encode_embedding_init_text("girl", 1).detach().float()
    embedding = inversion.Embedding(rows.repeat(arguments.vectors, 1), NAME, step=0)
    embedding.vectors, embedding.shape = embedding.vec.shape
    hijack.model_hijack.embedding_db.register_embedding(embedding, shared.sd_model)


def write_template(data: Path) -> Path:
    """One line, as ours has it for captions."""
    inversion: Any = importlib.import_module("modules.textual_inversion.textual_inversion")
    path = data / "benchmark.txt"
    path.write_text("[name], [filewords]", "utf-8")
    inversion.textual_inversion_templates[path.name] = inversion.TextualInversionTemplate(path.name, str(path))
    return path


def count_steps(marks: Marks) -> None:
    """Both of them move a progress bar on by one at each step, and at nothing else after the pictures are read."""
    tqdm: Any = importlib.import_module("tqdm")
    original = tqdm.tqdm.update

    def update(self: Any, n: float = 1) -> Any:
        mark(marks)
        return original(self, n)

    tqdm.tqdm.update = update


def memory(field: str) -> float:
    """A line of this process's memory in MiB: VmRSS for what is resident now, VmHWM for the most there has been."""
    (line,) = (line for line in Path("/proc/self/status").read_text("utf-8").splitlines() if line.startswith(field))
    return float(line.split()[1]) / 1024


def table(results: dict[str, list[dict[str, float]]], arguments: argparse.Namespace) -> str:
    """The best round of each trainer, in Markdown."""
    best = {name: min(rounds, key=lambda found: found["seconds_per_step"]) for name, rounds in results.items()}
    fastest = best["Train Gamma"]["seconds_per_step"]
    size = f"{arguments.size} x {arguments.size}"
    what = f"{arguments.pictures} pictures of {size}, batch {arguments.batch}, {arguments.vectors} vectors"
    lines = [
        f"{what}, {arguments.steps} steps, best of {arguments.rounds} rounds",
        "",
        "| trainer | ms per step | times ours | ms of computing per step | peak MiB | of that for training |",
        "|---|---|---|---|---|---|",
    ]
    for name, found in best.items():
        seconds = found["seconds_per_step"]
        lines.append(
            f"| {name} | {seconds * 1000:.0f} | {seconds / fastest:.2f} | {found['computed_per_step'] * 1000:.0f} "
            f"| {found['peak_mib']:.0f} | {found['added_mib']:.0f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
