"""The WebUI's own taggers as ours: what they give, what they refuse, and what a WebUI without them says."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.entry.fake_host import FakeHost
from tests.entry.test_path_lending import put
from train_gamma.errors import UserError
from train_gamma.hosts import webui_blip, webui_deepbooru
from train_gamma.hosts.webui_deepbooru import labels, squared
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING

TAGS = ["2boys", "10boys", "^_^", "long_hair", "||_||", "2k-tan", "hatsune_miku", "rating:safe", "rating:explicit"]
TOLD: list[tuple[str, int, int]] = []


def tell(what: str, done: int, total: int) -> None:
    TOLD.append((what, done, total))


class Network(nn.Module):
    """Each tag is as probable as the picture is red, times a weight of its own; three more outputs than tags."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Parameter(torch.linspace(0.1, 1, len(TAGS) + 3)[:, None])
        self.tags: list[str] = []

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        assert pixels.shape[1:] == (512, 512, 3)
        assert float(pixels.max()) <= 1
        return pixels[..., 0].mean((1, 2))[:, None] * self.last[:, 0]


class Booru:
    """The host's object around the model, as modules/deepbooru.py has it."""

    made: "list[Booru]"

    def __init__(self) -> None:
        self.model: Any = None
        self.started = 0
        Booru.made.append(self)

    def load(self) -> None:
        from modules import modelloader

        found = modelloader.load_models("unused", ext_filter=[".pt"], model_url="https://example")
        if found[0].endswith("broken.pt"):
            raise AttributeError("'NoneType' object has no attribute 'get'")
        self.model = Network()
        self.model.tags = list(TAGS)

    def start(self) -> None:
        self.load() if self.model is None else None
        self.started += 1


class Models:
    """The host's object around BLIP and CLIP, as modules/interrogate.py has it."""

    says: Any = "  a girl with\nred hair "

    def __init__(self, content_dir: str) -> None:
        self.content_dir, self.blip_model, self.clip_model, self.dtype = content_dir, None, None, None

    def load_blip_model(self) -> nn.Module:
        from modules import modelloader

        if not modelloader.load_models("unused", ext_filter=[".pth"]):
            raise IndexError("list index out of range")
        return nn.Linear(2, 2)

    def load_clip_model(self) -> Any:
        raise AssertionError("a gigabyte that nobody asked for")

    def load(self) -> None:
        if self.blip_model is None:
            self.blip_model = self.load_blip_model().half()
        if self.clip_model is None:
            self.clip_model, _ = self.load_clip_model()
            self.clip_model = self.clip_model.half()
        self.dtype = next(self.clip_model.parameters()).dtype

    def generate_caption(self, picture: Image.Image) -> Any:
        assert picture.mode == "RGB"
        assert self.dtype == next(self.blip_model.parameters()).dtype
        if isinstance(Models.says, Exception):
            raise Models.says
        return Models.says


@pytest.fixture
def files(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with both; the folder of their files, in which both are."""
    TOLD.clear()
    Booru.made = []
    monkeypatch.setattr(Models, "says", Models.says)
    models = host.folder / "models"
    for name in ("torch_deepdanbooru/model-resnet_custom_v3.pt", "BLIP/model_base_caption_capfilt_large.pth"):
        (models / name).parent.mkdir(parents=True)
        (models / name).write_bytes(name.encode())

    def load_models(model_path: str, ext_filter: list[str], **_: Any) -> list[str]:
        return [str(path) for path in sorted(models.rglob("*")) if path.suffix in ext_filter]

    put(monkeypatch, "modules.modelloader", load_models=load_models)
    put(monkeypatch, "modules.paths", models_path=str(models), paths={"BLIP": "repositories/BLIP"})
    put(monkeypatch, "modules.deepbooru", DeepDanbooru=Booru)
    import modules  # type: ignore[import-not-found, unused-ignore]
    from modules import shared

    for name in ("modelloader", "paths", "deepbooru"):
        monkeypatch.setattr(modules, name, sys.modules[f"modules.{name}"], raising=False)
    monkeypatch.setattr(shared, "interrogator", Models("interrogate"), raising=False)
    return models


def deepbooru() -> Any:
    return WebuiHost().interrogators()[0]


def blip() -> Any:
    return WebuiHost().interrogators()[1]


def gradient(width: int, height: int) -> Image.Image:
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.dstack([x, y, 255 - x]).astype(np.uint8))


def test_both_are_offered_with_their_files_and_the_threshold_of_the_settings(host: FakeHost, files: Path) -> None:
    tagger, captioner = (each.entry for each in WebuiHost().interrogators())
    assert (tagger.name, tagger.kind, tagger.origin, tagger.ready, tagger.problem) == (
        "deepdanbooru",
        "tagger",
        "host",
        True,
        "",
    )
    assert tagger.thresholds[GENERAL] == 0.5
    assert "0.75" in tagger.title
    assert (captioner.name, captioner.kind, captioner.ready, captioner.problem) == ("blip", "captioner", True, "")
    host.opts.data["interrogate_deepbooru_score_threshold"] = 0.6
    assert deepbooru().entry.thresholds[GENERAL] == 0.6
    assert Booru.made == []  # nothing is loaded for the list


def test_what_is_not_downloaded_yet_is_not_ready_and_no_problem(files: Path) -> None:
    for path in files.rglob("*.p*"):
        path.unlink()
    assert [(each.entry.ready, each.entry.problem) for each in WebuiHost().interrogators()] == [(False, "")] * 2


def test_a_webui_without_them_says_why(host: FakeHost, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import paths, shared

    monkeypatch.setitem(sys.modules, "modules.deepbooru", None)
    monkeypatch.delattr("modules.deepbooru")
    assert "no DeepDanbooru" in deepbooru().entry.problem
    monkeypatch.setitem(paths.paths, "BLIP", "")
    assert "repositories" in blip().entry.problem
    monkeypatch.setattr(shared, "interrogator", None)
    assert "load_blip_model" in blip().entry.problem
    monkeypatch.delattr(shared, "interrogator")
    assert "no BLIP" in blip().entry.problem
    for each in WebuiHost().interrogators():
        assert not each.entry.ready
        with pytest.raises(UserError, match="WebUI"):
            each.load(tell)


def test_another_deepbooru_of_the_same_name_is_not_taken_for_it(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import deepbooru as module

    monkeypatch.setattr(module, "DeepDanbooru", SimpleNamespace(load=len))
    assert "start" in deepbooru().entry.problem


def test_probabilities_are_those_of_the_model_for_the_tags_of_its_file(files: Path) -> None:
    tagger = deepbooru().load(tell)
    batch = np.stack([tagger.prepare(Image.new("RGB", (30, 20), (value, 0, 0))) for value in (0, 128, 255)])
    found = tagger.predict(batch)
    weights = np.linspace(0.1, 1, len(TAGS) + 3)[: len(TAGS)]
    wanted = np.outer(np.array([0, 128, 255]) / 255, weights)
    assert found.shape == (3, len(TAGS))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert [label.name for label in tagger.labels] == TAGS
    assert tagger.device == "CPU"
    assert tagger.most_at_once is None
    assert tagger.thresholds[GENERAL] == 0.5
    assert TOLD[0][0] == "Loading DeepDanbooru"


def test_the_identity_is_the_file(files: Path) -> None:
    file = files / "torch_deepdanbooru" / "model-resnet_custom_v3.pt"
    first = deepbooru().load(tell).identity
    assert hashlib.sha256(file.read_bytes()).hexdigest() in first
    file.write_bytes(b"another one")
    assert deepbooru().load(tell).identity != first


def test_the_hosts_own_copy_is_left_alone(files: Path) -> None:
    from modules import deepbooru as module

    module.model = module.DeepDanbooru()
    tagger = deepbooru().load(tell)
    tagger.predict(tagger.prepare(gradient(9, 9))[None])
    tagger.close()
    assert (module.model.model, module.model.started) == (None, 0)


def test_what_was_taken_off_the_gpu_meanwhile_is_brought_back_for_each_batch(files: Path) -> None:
    tagger = deepbooru().load(tell)
    for _ in range(3):
        tagger.predict(tagger.prepare(gradient(9, 9))[None])
    assert Booru.made[-1].started == 3


def test_each_batch_waits_its_turn_and_holds_nothing_afterwards(files: Path) -> None:
    turns: list[str] = []

    @contextmanager
    def moment(device: Any = None) -> Iterator[None]:
        turns.append("in")
        yield
        turns.append("out")

    tagger = webui_deepbooru.HostDeepDanbooru(moment).load(tell)
    assert turns == []  # reading the file keeps nobody waiting
    tagger.predict(tagger.prepare(gradient(9, 9))[None])
    assert turns == ["in", "out"]
    captioner = webui_blip.HostBlip(moment).load(tell)
    captioner.caption(gradient(9, 9))
    assert turns == ["in", "out"] * 2


def test_general_characters_and_ratings_are_told_apart_by_the_order_of_the_list() -> None:
    found = {label.name: label.category for label in labels(TAGS)}
    assert [found[name] for name in TAGS] == [GENERAL] * 5 + [CHARACTER] * 2 + [RATING] * 2


@pytest.mark.parametrize(
    "tags",
    [
        ["solo", "1girl", "smile", "long_hair", "hatsune_miku"],  # by frequency, say
        ["1girl", "long_hair", "smile"],  # in one row
        [],
    ],
)
def test_a_list_in_another_order_has_general_tags_only(tags: list[str]) -> None:
    assert [label.category for label in labels([*tags, "rating:safe"])] == [GENERAL] * len(tags) + [RATING]


@pytest.mark.parametrize("size", [(512, 512), (600, 400), (401, 600), (20, 31), (5000, 3), (1, 700), (1, 1)])
def test_a_picture_is_fitted_centred_and_its_edges_go_on(size: tuple[int, int]) -> None:
    picture = gradient(*size)
    found = squared(picture)
    assert found.shape == (512, 512, 3)
    scale = 512 / max(size)
    width, height = max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
    left, top = 256 - width // 2, 256 - height // 2
    inner = found[top : top + height, left : left + width]
    wanted = np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))
    np.testing.assert_array_equal(inner, wanted)
    for rows, upright in ((found, False), (found.transpose(1, 0, 2), True)):
        start, length = (left, width) if upright else (top, height)
        edge = inner.transpose(1, 0, 2) if upright else inner
        for fill, first, second in ((rows[:start], 0, 1), (rows[start + length :], -1, -2)):
            assert (fill == fill[:1]).all()
            if len(fill) and not upright:  # on each side half a pixel on, by the cubic filter with a = -1/2
                near, next_ = edge[first].astype(float), edge[second if length > 1 else first].astype(float)
                np.testing.assert_allclose(fill[0], np.clip(1.125 * near - 0.125 * next_, 0, 255), atol=1)


def test_a_file_that_cannot_be_downloaded_is_told_where_to_put(files: Path) -> None:
    for path in files.rglob("*.p*"):
        path.unlink()
    with pytest.raises(UserError) as refused:
        deepbooru().load(tell)
    assert webui_deepbooru.URL in str(refused.value)
    assert str(files / "torch_deepdanbooru") in str(refused.value)
    with pytest.raises(UserError) as refused:
        blip().load(tell)
    assert webui_blip.URL in str(refused.value)
    assert str(files / "BLIP") in str(refused.value)
    assert all("downloads" in what for what, _, _ in TOLD)


def test_a_file_that_the_host_cannot_read_is_told_with_its_name(files: Path) -> None:
    for path in files.rglob("*.pt"):
        path.rename(path.with_name("broken.pt"))
    with pytest.raises(UserError, match=r"broken\.pt.*NoneType"):
        deepbooru().load(tell)


def test_a_file_without_tags_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TAGS", [])
    with pytest.raises(UserError, match="no list of tags"):
        deepbooru().load(tell)


def test_a_network_that_overflows_says_what_to_do(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tagger = deepbooru().load(tell)
    monkeypatch.setattr(Network, "forward", lambda *_: torch.full((1, len(TAGS) + 3), float("nan")))
    with pytest.raises(UserError, match="--no-half"):
        tagger.predict(tagger.prepare(gradient(9, 9))[None])


def test_a_full_gpu_says_what_to_do(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    tagger = deepbooru().load(tell)
    monkeypatch.setattr(Network, "forward", full)
    with pytest.raises(UserError, match="Pictures at once"):
        tagger.predict(tagger.prepare(gradient(9, 9))[None])
    captioner = blip().load(tell)
    monkeypatch.setattr(Models, "generate_caption", full)
    with pytest.raises(UserError, match="out of the way"):
        captioner.caption(gradient(9, 9))


def test_the_sentence_is_one_line_and_clip_is_never_loaded(files: Path) -> None:
    captioner = blip().load(tell)
    assert captioner.caption(gradient(40, 30).convert("RGBA")) == "a girl with red hair"
    assert captioner.device == "CPU"


@pytest.mark.parametrize("says", ["a girl<error>", "<error>", "a girl <error>\n", RuntimeError("size of tensor a")])
def test_a_text_that_tells_of_an_error_never_comes_out(files: Path, says: Any) -> None:
    captioner = blip().load(tell)
    Models.says = says
    with pytest.raises(UserError, match="BLIP failed"):
        captioner.caption(gradient(40, 30))


def test_beams_that_this_blip_cannot_do_are_told(host: FakeHost, files: Path) -> None:
    host.opts.data["interrogate_clip_num_beams"] = 4
    Models.says = RuntimeError("The size of tensor a (4) must match the size of tensor b (16)")
    with pytest.raises(UserError, match="num_beams"):
        blip().load(tell).caption(gradient(40, 30))


def test_the_identity_of_a_sentence_has_beams_and_lengths(host: FakeHost, files: Path) -> None:
    captioner = blip().load(tell)
    first = captioner.identity
    assert hashlib.sha256(next(files.rglob("*.pth")).read_bytes()).hexdigest() in first
    for key in ("num_beams", "min_length", "max_length"):
        host.opts.data[f"interrogate_clip_{key}"] = 7
        assert captioner.identity != first
        first = captioner.identity


def test_the_hosts_own_interrogator_is_left_alone(files: Path) -> None:
    from modules import shared

    before = dict(vars(shared.interrogator))
    captioner = blip().load(tell)
    captioner.caption(gradient(40, 30))
    captioner.close()
    assert vars(shared.interrogator) == before


def test_forge_forgets_what_was_closed(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[Any] = []
    put(monkeypatch, "backend")
    put(monkeypatch, "backend.memory_management", unload_model_clones=dropped.append)
    tagger, captioner = deepbooru().load(tell), blip().load(tell)
    Booru.made[-1].patcher = "DeepDanbooru"  # type: ignore[attr-defined]
    captioner._models.blip_patcher = "BLIP"
    tagger.close()
    captioner.close()
    assert dropped == ["DeepDanbooru", "BLIP"]


def test_a_host_that_computes_elsewhere_says_where(files: Path) -> None:
    tagger, captioner = deepbooru().load(tell), blip().load(tell)
    Booru.made[-1].load_device = torch.device("cuda:0")  # type: ignore[attr-defined] # as Forge's
    captioner._models.load_device = torch.device("cuda:0")
    assert (tagger.device, captioner.device) == ("CUDA", "CUDA")
