"""The host's DeepDanbooru and BLIP, their real classes with drawn weights, against what the host itself says."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from train_gamma.errors import UserError
from train_gamma.hosts.webui_deepbooru import squared
from train_gamma.hosts.webui_host import WebuiHost
from train_gamma.tagging.config import TagConfig
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING, Interrogator

GENERAL_TAGS = (  # noqa: SIM905 - readable
    "0_0 1boy 1girl 2girls 6+girls :) :d ;) >:( \\m/ \\o/ ^_^ animal_ears apron ass black_hair blue_eyes blush "
    "brown_hair cat_ears collarbone dress eyebrows_visible_through_hair flower gloves grey_hair hair_ornament hat "
    "hatsune_miku_(cosplay) jewelry long_hair looking_at_viewer monochrome navel open_mouth photo_(medium) ponytail "
    "red_hair short_hair skirt smile solo standing sweater tail thighhighs twintails umbrella weapon yellow_eyes ||_||"
).split()
CHARACTER_TAGS = ["2k-tan", "akemi_homura", "artoria_pendragon_(fate)", "hakurei_reimu", "zuikaku_(kancolle)"]
RATING_TAGS = ["rating:safe", "rating:questionable", "rating:explicit"]
TAGS = [*GENERAL_TAGS, *CHARACTER_TAGS, *RATING_TAGS]

SIZES = [(512, 512), (800, 533), (203, 311), (640, 77), (33, 20)]
"""Larger, smaller, upright and wide; the last are enlarged."""


def picture(width: int, height: int) -> Image.Image:
    """Smooth colours with a few hard edges."""
    rng = np.random.default_rng(width * height)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def noise(width: int, height: int) -> Image.Image:
    """Every pixel another colour."""
    return Image.fromarray(np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture(scope="module")
def models_folder(webui: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The host's folder of models, a new one."""
    from modules import paths

    before, paths.models_path = paths.models_path, str(tmp_path_factory.mktemp("models"))
    yield Path(paths.models_path)
    paths.models_path = before


@pytest.fixture(scope="module")
def weights(models_folder: Path) -> Path:
    """DeepDanbooru's file: the host's network with drawn weights and the tags above.

    The weights of the last layer are made larger, so that probabilities are all over 0..1.
    """
    from modules import deepbooru_model

    torch.manual_seed(5)
    with torch.device("meta"):
        network = deepbooru_model.DeepDanbooruModel()
    network.to_empty(device="cpu").eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu").mul_(0.7)
                torch.nn.init.zeros_(module.bias) if module.bias is not None else None
        example = torch.from_numpy(squared(picture(300, 200))[None]).float() / 255
        spread = torch.logit(network(example).double()).std().nan_to_num(1.0, 1.0, 1.0)
        network.n_Conv_178.weight.mul_(float(2 / spread.clamp(min=1e-6)))
    file = models_folder / "torch_deepdanbooru" / "model-resnet_custom_v3.pt"
    file.parent.mkdir()
    # the host's reader knows the names of this format whatever torch has written it
    torch.save({**network.state_dict(), "tags": TAGS}, file, _use_new_zipfile_serialization=False)
    return file


@pytest.fixture(scope="module")
def tagger(weights: Path) -> Iterator[Interrogator]:
    (host, _) = WebuiHost().interrogators()
    assert host.entry.ready
    made = host.load(lambda _what, _done, _total: None)
    yield made  # type: ignore[misc]
    made.close()


@pytest.fixture
def texts(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host tells every tag from 0.02 on with its probability, in no other shape than its file has."""
    settings = {
        "interrogate_deepbooru_score_threshold": 0.02,
        "interrogate_return_ranks": True,
        "deepbooru_sort_alpha": False,
        "deepbooru_use_spaces": False,
        "deepbooru_escape": False,
        "deepbooru_filter_tags": "",
    }
    for key, value in settings.items():
        monkeypatch.setitem(webui.opts.data, key, value)


def told_by_the_host(image: Image.Image) -> dict[str, float]:
    from modules import deepbooru

    text = deepbooru.model.tag(image)
    found = re.findall(r"\((.+?):([01]\.\d{3})\)(?:, |$)", text)
    return {name: float(probability) for name, probability in found}


def test_probabilities_are_those_of_the_hosts_text(texts: None, tagger: Interrogator) -> None:
    pictures = [picture(*size) for size in SIZES[1:4]]
    found = tagger.predict(np.stack([tagger.prepare(image) for image in pictures]))
    assert [label.name for label in tagger.labels] == TAGS
    general = [label.category != RATING for label in tagger.labels]
    assert found.std() > 0.2  # or anything would fit
    for image, row in zip(pictures, found, strict=True):
        told = told_by_the_host(image)
        ours = {tag: float(p) for tag, p, wanted in zip(TAGS, row, general, strict=True) if wanted and p >= 0.02}
        assert told.keys() == ours.keys()
        assert len(told) > 10
        assert max(abs(told[tag] - ours[tag]) for tag in told) <= 0.0011  # the text has three digits


def test_the_order_of_the_list_tells_characters(tagger: Interrogator) -> None:
    categories = [label.category for label in tagger.labels]
    assert categories == [GENERAL] * len(GENERAL_TAGS) + [CHARACTER] * len(CHARACTER_TAGS) + [RATING] * 3


def test_the_picture_is_prepared_as_the_host_does(webui: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from modules import images

    monkeypatch.setitem(webui.opts.data, "upscaler_for_img2img", None)
    for size in [*SIZES, (700, 3), (9, 701), (512, 511), (511, 512)]:  # below one pixel the host fails
        image = noise(*size)
        np.testing.assert_array_equal(squared(image), np.asarray(images.resize_image(2, image, 512, 512)), str(size))


def test_trap_small_pictures_are_not_sent_through_the_upscaler_of_img2img(
    webui: Any, tagger: Interrogator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules import images

    class Scaler:
        def upscale(self, *_: Any) -> Any:
            raise AssertionError("an upscaler runs")

    class Upscaler:
        name, scaler, data_path = "R-ESRGAN", Scaler(), None

    monkeypatch.setitem(webui.opts.data, "upscaler_for_img2img", "R-ESRGAN")
    monkeypatch.setattr(webui, "sd_upscalers", [Upscaler()])
    with pytest.raises(AssertionError, match="upscaler"):
        images.resize_image(2, picture(40, 30), 512, 512)  # the trap
    tagger.predict(tagger.prepare(picture(40, 30))[None])


def test_several_at_once_are_as_one_by_one(tagger: Interrogator) -> None:
    rows = [tagger.prepare(picture(*size)) for size in SIZES[:2]]
    together = tagger.predict(np.stack(rows))
    alone = np.concatenate([tagger.predict(row[None]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_host_is_as_it_was_after_a_batch(unchanged: None, tagger: Interrogator) -> None:
    from modules import deepbooru

    before = deepbooru.model.model
    tagger.predict(tagger.prepare(picture(64, 64))[None])
    assert deepbooru.model.model is before


def test_a_damaged_file_is_told(models_folder: Path, weights: Path) -> None:
    whole = weights.rename(weights.with_suffix(".whole"))
    try:
        weights.write_bytes(whole.read_bytes()[:100_000])
        with pytest.raises(UserError, match=re.escape(weights.name)):
            WebuiHost().interrogators()[0].load(lambda *_: None)
    finally:
        whole.rename(weights)


def test_what_is_not_there_and_cannot_be_downloaded_is_told(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules import modelloader, paths

    asked: list[str] = []

    def offline(url: str, **_: Any) -> str:
        asked.append(url)
        raise OSError("no network")

    monkeypatch.setattr(paths, "models_path", str(models_folder / "none"))
    monkeypatch.setattr(modelloader, "load_file_from_url", offline)
    for host in WebuiHost().interrogators():
        assert not host.entry.ready
        with pytest.raises(UserError) as refused:
            host.load(lambda *_: None)
        if host.entry.kind == "tagger" or blip_works():
            assert asked[-1] in str(refused.value)
            assert str(models_folder / "none") in str(refused.value)


def blip_works() -> bool:
    """Whether the host's BLIP can be imported; it cannot beside a transformers that is newer than BLIP's code."""
    sys.modules.setdefault("fairscale.nn.checkpoint.checkpoint_activations", type(sys)("fake"))
    sys.modules["fairscale.nn.checkpoint.checkpoint_activations"].checkpoint_wrapper = None  # type: ignore[attr-defined]
    try:
        import models.blip  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.fixture
def blip(webui: Any, models_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The host's real BLIP, smaller, with drawn weights and a vocabulary of our own; with its settings at 5 to 8."""
    if not blip_works():
        pytest.skip("this WebUI's BLIP does not go with its transformers, see the test of the refusal")
    import models.blip as library
    from modules import interrogate
    from transformers import BertTokenizer

    words = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "picture", "of", "girl"]
    (tmp_path / "vocab.txt").write_text("\n".join([*words, *(f"w{n}" for n in range(30512))]), "utf-8")

    def tokenizer() -> Any:
        made = BertTokenizer(str(tmp_path / "vocab.txt"))
        made.add_special_tokens({"bos_token": "[DEC]"})
        made.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
        made.enc_token_id = made.additional_special_tokens_ids[0]
        return made

    def decoder(pretrained: str, med_config: str, **options: Any) -> Any:
        assert Path(pretrained).read_bytes() == b"weights"
        text = Path(med_config).read_text("utf-8")
        (tmp_path / "med.json").write_text(re.sub(r'("num_hidden_layers"): \d+', r"\1: 2", text), "utf-8")
        torch.manual_seed(3)
        return library.BLIP_Decoder(med_config=str(tmp_path / "med.json"), **options)

    folder = models_folder / "BLIP"
    folder.mkdir(exist_ok=True)
    (folder / "model_base_caption_capfilt_large.pth").write_bytes(b"weights")
    monkeypatch.setattr(library, "init_tokenizer", tokenizer)
    monkeypatch.setattr(library, "blip_decoder", decoder)
    monkeypatch.setattr(interrogate.InterrogateModels, "load_clip_model", lambda _self: pytest.fail("CLIP is loaded"))
    monkeypatch.setitem(webui.opts.data, "interrogate_clip_num_beams", 1)
    monkeypatch.setitem(webui.opts.data, "interrogate_clip_min_length", 5)
    monkeypatch.setitem(webui.opts.data, "interrogate_clip_max_length", 8)
    return WebuiHost().interrogators()[1].load(lambda *_: None)


def test_the_sentence_is_the_hosts_own(webui: Any, blip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = blip.caption(picture(100, 80))
    assert 0 < len(sentence.split()) <= 8
    hosts = webui.interrogator
    monkeypatch.setattr(hosts, "blip_model", blip._models.blip_model)
    monkeypatch.setattr(hosts, "dtype", torch.float32)
    assert hosts.generate_caption(picture(100, 80)) == sentence
    monkeypatch.setitem(webui.opts.data, "interrogate_clip_max_length", 6)
    assert len(blip.caption(picture(100, 80)).split()) < len(sentence.split())
    blip.close()


def test_trap_a_text_that_tells_of_an_error_never_comes_out(
    webui: Any, blip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host answers with the sentence and ``<error>``, be it for want of CLIP."""
    from modules import interrogate

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr(interrogate.InterrogateModels, "load_clip_model", fail)
    monkeypatch.setattr(interrogate.errors, "report", lambda *_, **__: None)
    assert webui.interrogator.interrogate(picture(100, 80)).endswith("<error>")  # the trap
    assert blip.caption(picture(100, 80))
    monkeypatch.setattr(blip._models.blip_model, "generate", fail)
    with pytest.raises(UserError, match="boom"):
        blip.caption(picture(100, 80))
    for text in ("a girl<error>", "<error>"):
        monkeypatch.setattr(blip._models.blip_model, "generate", lambda *_, text=text, **__: [text])
        with pytest.raises(UserError, match="BLIP failed"):
            blip.caption(picture(100, 80))


def test_beams_that_blips_code_cannot_do_any_more_are_told(
    webui: Any, blip: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(webui.opts.data, "interrogate_clip_num_beams", 3)
    from transformers import __version__

    if __version__ != "4.30.2":
        pytest.skip("the transformers of 1.9.4 is where it fails")
    with pytest.raises(UserError, match="num_beams"):
        blip.caption(picture(100, 80))


def test_a_blip_that_does_not_go_with_the_hosts_libraries_is_told(webui: Any) -> None:
    if blip_works():
        pytest.skip("it does here")
    with pytest.raises(UserError, match=r"could not load BLIP \(ImportError"):
        WebuiHost().interrogators()[1].load(lambda *_: None)


def test_both_are_in_the_list_that_people_choose_from(webui: Any, models_folder: Path) -> None:
    from train_gamma.service import Service

    entries = {entry.name: entry for entry in Service(WebuiHost()).tagging.entries()}
    assert entries["deepdanbooru"].kind == "tagger"
    assert entries["deepdanbooru"].problem == ""
    assert entries["blip"].kind == "captioner"
    assert entries["blip"].problem == ""


def test_a_folder_is_tagged_by_deepdanbooru(
    webui: Any, texts: None, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the service, beside the queue: what is written are the host's tags above the threshold."""
    from train_gamma.service import Service

    for number in range(3):
        picture(90, 60 + 30 * number).save(tmp_path / f"{number}.png")
    config = TagConfig(
        folder=str(tmp_path), model="deepdanbooru", general_threshold=0.5, spaces=False, escape=False, unload=True
    )
    service = Service(WebuiHost())
    job = service.tagging.tag(config)
    assert job.wait(120)
    assert job.state == "finished", job.snapshot()
    for number in range(3):
        with Image.open(tmp_path / f"{number}.png") as image:
            told = told_by_the_host(image)
        wanted = [tag for tag, probability in told.items() if probability >= 0.5 and tag in GENERAL_TAGS]
        written = (tmp_path / f"{number}.txt").read_text("utf-8")
        assert set(written.split(", ")) == set(wanted) != set()
    assert webui.state.job == ""
