"""Measure tagging: the whole way through a folder against the bare model, and how fast settings are answered.

The model has the shape of a WD v3 tagger, 448 pixels and 10,861 labels, with as many of its twelve layers as are asked
for and random weights: speed does not depend on what it has learned. With fewer layers the model is faster, and the
rest of the way has less time; a real tagger is a better case than any of these.
"""

import argparse
import csv
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "modules"))

from train_gamma.dataset.pictures import open_picture  # noqa: E402
from train_gamma.hosts.standalone import StandaloneHost  # noqa: E402
from train_gamma.service import Service  # noqa: E402
from train_gamma.tagging.asking import view_of  # noqa: E402
from train_gamma.tagging.cache import digest_of, stamp_of  # noqa: E402
from train_gamma.tagging.config import TagConfig  # noqa: E402
from train_gamma.tagging.rows import packed, row_of  # noqa: E402

NUM_LABELS, SIDE, PATCH, WIDTH, HEADS = 10_861, 448, 16, 768, 12
NAME = "benchmark"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--known", type=int, default=2000, help="pictures in the cache for the second part")
    parser.add_argument("--layers", type=int, default=1, help="of the twelve that a WD ViT tagger has")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_model(root / "data" / "taggers" / NAME, arguments.layers)
        service = Service(StandaloneHost(root / "data"))
        if arguments.pictures:
            draw(root / "pictures", arguments.pictures)
            config = TagConfig(
                folder=str(root / "pictures"), model=NAME, batch_size=arguments.batch, existing="overwrite"
            )
            for number in range(arguments.rounds):
                compare(service, replace(config, background=f"#ffff{number:02x}"))
        if arguments.known:
            answer(service, root / "known", arguments.known)


def compare(service: Service, config: TagConfig) -> None:
    """The whole way through a folder, and the bare model on the same batches; the model is loaded before.

    Three numbers, of which the first is the one to look at on a machine with nothing else to do, and the others hold on
    a busy one too: the time of the bare model as a share of the time of the whole way; the same of computing time, of
    all threads together; and the share of the whole way during which the model is at work.
    """
    service.tagging.interrogate(Image.new("RGB", (SIDE, SIDE)), config)
    tagger: Any = service.tagging._models.tagger(NAME, config.device, service.tagging._cache(), lambda *_: None)
    session, at_work = tagger._session, [0.0]
    run = session.run

    def timed_run(batch: Any) -> Any:
        begun = time.perf_counter()
        found = run(batch)
        at_work[0] += time.perf_counter() - begun
        return found

    session.run = timed_run
    begun, computed = time.perf_counter(), time.process_time()
    job = service.tagging.tag(config)
    job.wait()
    whole, whole_computed = time.perf_counter() - begun, time.process_time() - computed
    session.run = run
    shown = job.snapshot()
    if shown["state"] != "finished":
        raise SystemExit(shown["message"])
    paths = sorted(Path(config.folder).glob("*.[jp][pn]g"))
    bare = bare_computed = 0.0
    for start in range(0, len(paths), config.batch_size):
        part = paths[start : start + config.batch_size]
        batch = np.stack([tagger.prepare(open_picture(path, "white")) for path in part])
        begun, computed = time.perf_counter(), time.process_time()
        run(batch)
        bare += time.perf_counter() - begun
        bare_computed += time.process_time() - computed
    print(
        f"{len(paths)} pictures: whole way {whole:.1f} s ({len(paths) / whole:.2f} a second), bare model {bare:.1f} s, "
        f"{bare / whole:.1%} of it; computing {whole_computed:.1f} and {bare_computed:.1f} s, "
        f"{bare_computed / whole_computed:.1%}; model at work {at_work[0] / whole:.1%} of the whole way",
        flush=True,
    )


def answer(service: Service, folder: Path, count: int) -> None:
    """How long settings take to be answered for pictures that are known."""
    service.tagging.interrogate(Image.new("RGB", (SIDE, SIDE)), TagConfig(model=NAME))
    cache = service.tagging._cache()
    known = cache.model(NAME)
    assert known is not None
    fill(cache, view_of(known.identity, "white"), folder, count)
    config = TagConfig(folder=str(folder), model=NAME, existing="overwrite")
    first = timed(lambda: service.tagging.live(config, 5))
    thresholds = [0.2 + 0.05 * k for k in range(12)]
    times = [timed(lambda k=k: service.tagging.live(replace(config, general_threshold=k), 5)) for k in thresholds]
    middle, worst = statistics.median(times), max(times)
    print(f"{count} known pictures: first answer {first:.2f} s, another threshold {middle:.3f} s (worst {worst:.3f})")
    for name, changes in (("mcut", {"threshold_method": "mcut"}), ("exclude", {"exclude_tags": "tag 7, tag 9"})):
        print(f"    {name}: {timed(lambda c=changes: service.tagging.live(replace(config, **c), 5)):.3f} s")
    print(f"    plan: {timed(lambda: service.tagging.plan(config)):.3f} s")
    for threshold in (0.4, 0.6):
        seconds = timed(lambda k=threshold: service.tagging.tag(replace(config, general_threshold=k)).wait())
        print(f"    all captions written anew: {seconds:.2f} s", flush=True)


def timed(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def fill(cache: Any, view: str, folder: Path, count: int) -> None:
    """Tiny pictures, and answers to them with some 60 labels seen of each, as taggers have."""
    numbers = np.random.default_rng(1)
    popular = 1 / (np.arange(NUM_LABELS) + 20.0)
    folder.mkdir()
    files, answers = [], []
    for k in range(count):
        path = folder / f"{k:05}.png"
        Image.fromarray(numbers.integers(0, 255, (4, 4, 3), np.uint8)).save(path)
        row = np.zeros(NUM_LABELS, np.float32)
        row[numbers.choice(NUM_LABELS, 60, False, popular / popular.sum())] = numbers.beta(0.7, 0.7, 60) * 0.94 + 0.05
        digest = digest_of(path.read_bytes())
        files.append((path, stamp_of(path), digest))
        answers.append((digest, packed(row_of(row))))
    cache.remember(files)
    cache.store(view, answers)


def draw(folder: Path, count: int) -> None:
    """Pictures of the sizes people have, 0.5 to 1.2 megapixels, half of them JPEG."""
    numbers = np.random.default_rng(0)
    folder.mkdir()
    for k in range(count):
        small = Image.fromarray(numbers.integers(0, 255, (24, 24, 3), np.uint8))
        size = tuple(int(side) for side in numbers.integers(700, 1100, 2))
        picture = small.resize(size, Image.Resampling.BICUBIC)
        picture.save(folder / f"{k:04}.{'jpg' if k % 2 else 'png'}", quality=92)


def write_model(folder: Path, layers: int) -> None:
    """An ONNX file of a vision transformer and its list of tags, as a user drops them into a folder."""
    numbers = np.random.default_rng(0)
    weights: list[Any] = []
    nodes: list[Any] = []
    tokens = (SIDE // PATCH) ** 2

    def weight(name: str, *shape: int, scale: float = 0.5, mean: float = 0.0) -> str:
        drawn = mean + numbers.standard_normal(shape) * scale / np.sqrt(shape[-2] if len(shape) > 1 else 1)
        weights.append(numpy_helper.from_array(drawn.astype(np.float32), name))
        return name

    def constant(name: str, values: Any, dtype: Any = np.int64) -> str:
        weights.append(numpy_helper.from_array(np.array(values, dtype), name))
        return name

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def linear(x: str, name: str, inner: int, outer: int) -> str:
        return node(
            "Add",
            [node("MatMul", [x, weight(f"{name}.w", inner, outer)], f"{name}.m"), weight(f"{name}.b", outer)],
            name,
        )

    def norm(x: str, name: str) -> str:
        return node("LayerNormalization", [x, constant(f"{name}.g", np.ones(WIDTH), np.float32)], name, axis=-1)

    def heads(x: str, name: str, order: list[int]) -> str:
        return node("Transpose", [node("Reshape", [x, "split"], f"{name}.r")], name, perm=order)

    constant("split", [0, tokens, HEADS, WIDTH // HEADS])
    constant("join", [0, tokens, WIDTH])
    constant("scale", [(WIDTH // HEADS) ** -0.5], np.float32)
    constant("half", [0.5], np.float32)
    constant("root", [2**-0.5], np.float32)
    constant("one", [1.0], np.float32)
    x = node("Transpose", ["pictures"], "nchw", perm=[0, 3, 1, 2])
    x = node("Conv", [x, weight("patch", WIDTH, 3, PATCH, PATCH)], "patches", strides=[PATCH, PATCH])
    x = node(
        "Transpose", [node("Reshape", [x, constant("flat", [0, WIDTH, tokens])], "flat.r")], "tokens", perm=[0, 2, 1]
    )
    for k in range(layers):
        n = norm(x, f"{k}.n1")
        q = heads(linear(n, f"{k}.q", WIDTH, WIDTH), f"{k}.qh", [0, 2, 1, 3])
        key = heads(linear(n, f"{k}.k", WIDTH, WIDTH), f"{k}.kh", [0, 2, 3, 1])
        v = heads(linear(n, f"{k}.v", WIDTH, WIDTH), f"{k}.vh", [0, 2, 1, 3])
        scores = node("Mul", [node("MatMul", [q, key], f"{k}.qk"), "scale"], f"{k}.s")
        mixed = node("MatMul", [node("Softmax", [scores], f"{k}.p", axis=-1), v], f"{k}.pv")
        joined = node("Reshape", [node("Transpose", [mixed], f"{k}.t", perm=[0, 2, 1, 3]), "join"], f"{k}.j")
        x = node("Add", [x, linear(joined, f"{k}.o", WIDTH, WIDTH)], f"{k}.a")
        inner = linear(norm(x, f"{k}.n2"), f"{k}.f", WIDTH, 4 * WIDTH)
        erf = node("Add", [node("Erf", [node("Mul", [inner, "root"], f"{k}.e0")], f"{k}.e1"), "one"], f"{k}.e2")
        gelu = node("Mul", [node("Mul", [inner, erf], f"{k}.e3"), "half"], f"{k}.g")
        x = node("Add", [x, linear(gelu, f"{k}.h", 4 * WIDTH, WIDTH)], f"{k}.b")
    pooled = node("ReduceMean", [norm(x, "last")], "pooled", axes=[1], keepdims=0)
    scores = node("MatMul", [pooled, weight("labels.w", WIDTH, NUM_LABELS, scale=0.01)], "labels.m")
    logits = node("Add", [scores, weight("labels.b", NUM_LABELS, scale=0.8, mean=-5.0)], "logits")  # some 60 above 0.05
    node("Sigmoid", [logits], "probabilities")
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("pictures", onnx.TensorProto.FLOAT, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["N", NUM_LABELS])],
        weights,
    )
    folder.mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    with (folder / "selected_tags.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["tag_id", "name", "category", "count"])
        rows.writerows([k, f"tag_{k}", 9 if k < 4 else 0 if k < 8000 else 4, 1000] for k in range(NUM_LABELS))


if __name__ == "__main__":
    main()
