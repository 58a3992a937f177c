"""Taggers in real ONNX files: their probabilities against the same sums in float64."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.tagging.models import TAGS, write_model, write_tags, write_wd
from train_gamma.errors import UserError
from train_gamma.tagging.model_spec import ModelSpec
from train_gamma.tagging.onnx_tagger import OnnxTagger, fingerprint, sigmoid
from train_gamma.tagging.preprocess import Layout

WD = Layout(axes="NHWC", channels="BGR", scale=1.0)
COLOURS = ((200, 100, 50), (0, 0, 255), (255, 255, 255))


def files(folder: Path) -> Mapping[str, Path]:
    return {path.name: path for path in folder.iterdir()}


def load(folder: Path, **values: Any) -> OnnxTagger:
    return OnnxTagger(ModelSpec("small", **{"layout": WD, **values}), files(folder), "cpu")


def plain(colour: tuple[int, int, int]) -> Image.Image:
    return Image.new("RGB", (20, 20), colour)


def expected(colours: Any, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """1 / (1 + exp(-BGR / 255 @ weights))"""
    means = np.array(colours, np.float64)[:, ::-1] / 255
    return 1 / (1 + np.exp(-means @ weights.astype(np.float64)))


@pytest.mark.parametrize("batch", [None, 1, 2, 4])
def test_probabilities_are_those_of_the_model(tmp_path: Path, batch: int | None) -> None:
    weights = write_wd(tmp_path, batch=batch)
    tagger = load(tmp_path)
    rows = np.stack([tagger.prepare(plain(colour)) for colour in COLOURS])
    found = tagger.predict(rows)
    assert found.dtype == np.float32
    assert tagger.most_at_once == batch
    assert np.abs(found - expected(COLOURS, weights)).max() < 1e-6


def test_labels_and_thresholds_are_told(tmp_path: Path) -> None:
    write_wd(tmp_path)
    tagger = load(tmp_path, thresholds={"general": 0.3, "character": 0.8})
    assert [(label.name, label.count) for label in tagger.labels] == [(name, count) for name, _, count in TAGS]
    assert tagger.thresholds == {"general": 0.3, "character": 0.8}
    assert (tagger.device, tagger.note) == ("CPU", "")


def test_channels_first_with_mean_and_deviation(tmp_path: Path) -> None:
    write_tags(tmp_path / "selected_tags.csv")
    weights = write_model(tmp_path / "model.onnx", len(TAGS), axes="NCHW", divisor=1.0, sigmoid=False)
    layout = Layout(axes="NCHW", channels="RGB", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))
    tagger = load(tmp_path, layout=layout, sigmoid=True)
    found = tagger.predict(np.stack([tagger.prepare(plain(colour)) for colour in COLOURS]))
    means = (np.array(COLOURS) / 255 - (0.5, 0.4, 0.3)) / (0.2, 0.3, 0.4)
    assert np.abs(found - 1 / (1 + np.exp(-means @ weights.astype(np.float64)))).max() < 1e-5


def test_size_comes_from_the_model_or_else_from_the_layout(tmp_path: Path) -> None:
    write_wd(tmp_path, size=16)
    assert load(tmp_path, layout=Layout(channels="BGR", scale=1.0, size=448)).prepare(plain((0, 0, 0))).shape[0] == 16
    write_wd(tmp_path, size=None)
    assert load(tmp_path, layout=Layout(channels="BGR", scale=1.0, size=40)).prepare(plain((0, 0, 0))).shape[0] == 40
    assert load(tmp_path).prepare(plain((0, 0, 0))).shape[0] == 448


def test_pictures_are_prepared_in_several_threads_at_once(tmp_path: Path) -> None:
    write_wd(tmp_path)
    tagger = load(tmp_path)
    pictures = [Image.effect_noise((40, 30 + number), 90).convert("RGB") for number in range(16)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(tagger.prepare, pictures))
    assert all(np.array_equal(row, tagger.prepare(picture)) for row, picture in zip(together, pictures, strict=True))


def test_list_of_another_length_is_told_when_loading(tmp_path: Path) -> None:
    write_wd(tmp_path)
    write_tags(tmp_path / "selected_tags.csv", TAGS[:-1])
    with pytest.raises(UserError, match=r"names 5 tags, and the model of 'small' has 6 outputs"):
        load(tmp_path)


def test_logits_that_were_not_declared_are_told(tmp_path: Path) -> None:
    write_wd(tmp_path, sigmoid=False, divisor=10.0)
    tagger = load(tmp_path)
    with pytest.raises(UserError, match='"sigmoid": true'):
        tagger.predict(tagger.prepare(plain((255, 255, 255)))[None])


def test_numbers_that_are_not_finite_are_told(tmp_path: Path) -> None:
    write_wd(tmp_path, divisor=0.0)
    tagger = load(tmp_path)
    with pytest.raises(UserError, match="not finite"):
        tagger.predict(tagger.prepare(plain((0, 0, 0)))[None])


@pytest.mark.parametrize("axes", ["NHWC", "NCHW"])
def test_model_of_the_other_layout_is_told_when_loading(tmp_path: Path, axes: Any) -> None:
    write_wd(tmp_path, axes=axes)
    other = Layout(axes="NCHW" if axes == "NHWC" else "NHWC")
    with pytest.raises(UserError, match='Correct "layout"'):
        load(tmp_path, layout=other)


def test_identity_is_that_of_the_content(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    write_wd(first)
    write_wd(second)
    assert load(first).identity == load(second).identity
    assert load(first).identity != load(first, layout=Layout(scale=1.0)).identity
    assert load(first).identity != load(first, sigmoid=True).identity
    assert load(first).identity != load(first, output="output").identity
    write_tags(second / "selected_tags.csv", [*TAGS[:-1], ("reimu", 4, 9)])
    assert load(first).identity != load(second).identity


def test_fingerprint_of_a_large_file_is_of_samples_all_over_it(tmp_path: Path) -> None:
    one, copy, other, longer = (tmp_path / name / "model.onnx" for name in "abcd")
    content = np.random.default_rng(0).bytes(6_000_000)
    changed = content[:3_000_000] + bytes(1_000_000) + content[4_000_000:]
    for path, data in ((one, content), (copy, content), (other, changed), (longer, content + b"1")):
        path.parent.mkdir()
        path.write_bytes(data)
    assert fingerprint([one]) == fingerprint([copy])
    assert len({fingerprint([path]) for path in (one, other, longer)}) == 3


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        found = sigmoid(np.array([[-1e4, -20.0, 0.0, 20.0, 1e4]], np.float32))
    assert found == pytest.approx(
        np.array([[0.0, 1 / (1 + np.exp(20.0)), 0.5, 1 / (1 + np.exp(-20.0)), 1.0]]), rel=1e-5
    )
    assert found.dtype == np.float32
