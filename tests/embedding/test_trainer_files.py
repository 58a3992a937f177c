"""Embeddings as the known trainers save them are read, and what cannot be used is refused with the reason."""

import base64
import json

import pytest
import safetensors.torch
import torch
from PIL import Image, PngImagePlugin

from tests.embedding import trainers
from tests.embedding.host_rules import HostRefusesError, host_load
from train_gamma.embedding.files import read_embedding
from train_gamma.embedding.png_strips import add_strips
from train_gamma.errors import UserError


def check(read, rows, name, encoder="clip_l"):
    assert list(read.vectors) == [encoder]
    assert read.vectors[encoder].dtype == torch.float32
    assert torch.equal(read.vectors[encoder], rows)
    assert read.name == name


@pytest.mark.parametrize("legacy", [False, True])
def test_a1111_pt(tmp_path, legacy):
    rows = trainers.a1111_pt(tmp_path / "tg-mika.pt", legacy=legacy)
    read = read_embedding(tmp_path / "tg-mika.pt")
    check(read, rows, "tg-mika")
    assert (read.step, read.info.short_hash, read.info.model_name) == (250, "6ce0161689", "v1-5-pruned-emaonly")


def test_a1111_pt_of_an_older_torch_which_the_host_accepts_too(tmp_path):
    path = tmp_path / "tg-mika.pt"
    rows = trainers.a1111_pt_of_torch_1(path)
    check(read_embedding(path), rows, "tg-mika")
    assert torch.equal(host_load(path).vec, rows)


def test_the_host_rules_refuse_the_zip_of_a_new_torch(tmp_path):
    trainers.a1111_pt(tmp_path / "tg-mika.pt")
    with pytest.raises(HostRefusesError, match="bad file inside"):
        host_load(tmp_path / "tg-mika.pt")


def test_a1111_pt_from_a_device_without_storages(tmp_path):
    rows = trainers.directml_pt(tmp_path / "tg-mika.pt")
    check(read_embedding(tmp_path / "tg-mika.pt"), rows, "tg-mika")


def test_a_name_that_differs_from_the_file_name_is_mentioned(tmp_path):
    trainers.a1111_pt(tmp_path / "tg-mika-500.pt")
    read = read_embedding(tmp_path / "tg-mika-500.pt")
    assert read.name == "tg-mika"
    assert "'tg-mika-500'" in read.info.notes[0]


@pytest.mark.parametrize("legacy", [False, True])
def test_rinongal_pt(tmp_path, legacy):
    rows = trainers.rinongal_pt(tmp_path / "mine.pt", legacy=legacy)
    check(read_embedding(tmp_path / "mine.pt"), rows, "mine")


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize("dtype", [None, torch.float16, torch.bfloat16])
def test_kohya(tmp_path, ending, dtype):
    rows = trainers.kohya(tmp_path / f"mine{ending}", dtype)
    check(read_embedding(tmp_path / f"mine{ending}"), rows, "mine")


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_kohya_sdxl(tmp_path, ending):
    state = trainers.kohya_sdxl(tmp_path / f"mine{ending}")
    read = read_embedding(tmp_path / f"mine{ending}")
    assert read.family == "sdxl"
    assert all(torch.equal(read.vectors[key], state[key]) for key in ("clip_l", "clip_g"))


def test_kohya_xti_is_refused_with_the_reason(tmp_path):
    trainers.kohya_xti(tmp_path / "mine.safetensors")
    with pytest.raises(UserError, match=r"XTI.*16 sets of vectors.*Train a plain textual inversion"):
        read_embedding(tmp_path / "mine.safetensors")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_onetrainer(tmp_path, dtype):
    rows = trainers.onetrainer(tmp_path / "mine.safetensors", dtype=dtype)
    check(read_embedding(tmp_path / "mine.safetensors"), rows, "mine")


def test_onetrainer_with_output_vectors_says_what_is_left_out(tmp_path):
    rows = trainers.onetrainer(tmp_path / "mine.safetensors", output=True)
    read = read_embedding(tmp_path / "mine.safetensors")
    check(read, rows, "mine")
    assert "emp_params_out" in read.info.notes[0]


def test_onetrainer_sdxl_with_output_vectors(tmp_path):
    state = trainers.onetrainer_sdxl(tmp_path / "mine.safetensors")
    read = read_embedding(tmp_path / "mine.safetensors")
    assert all(torch.equal(read.vectors[key], state[key]) for key in ("clip_l", "clip_g"))
    assert list(read.vectors) == ["clip_l", "clip_g"]


def test_onetrainer_with_only_output_vectors_is_refused(tmp_path):
    safetensors.torch.save_file({"emp_params_out": trainers.drawn()}, tmp_path / "mine.safetensors")
    with pytest.raises(UserError, match="only OneTrainer's output vectors"):
        read_embedding(tmp_path / "mine.safetensors")


@pytest.mark.parametrize("ending", [".bin", ".safetensors"])
@pytest.mark.parametrize("num_vectors", [1, 3])
def test_diffusers(tmp_path, ending, num_vectors):
    rows = trainers.diffusers(tmp_path / f"learned_embeds{ending}", num_vectors)
    read = read_embedding(tmp_path / f"learned_embeds{ending}")
    check(read, rows, "learned_embeds")
    assert read.info.extra["placeholder"] == "<cat-toy>"


def test_diffusers_with_one_dimension(tmp_path):
    rows = trainers.diffusers_one_row(tmp_path / "learned_embeds.bin")
    check(read_embedding(tmp_path / "learned_embeds.bin"), rows, "learned_embeds")


def test_the_second_file_of_diffusers_sdxl_is_the_big_encoder(tmp_path):
    rows = trainers.drawn(2, 1280)
    safetensors.torch.save_file({"<cat-toy>": rows}, tmp_path / "learned_embeds_2.safetensors", {"format": "pt"})
    check(read_embedding(tmp_path / "learned_embeds_2.safetensors"), rows, "learned_embeds_2", "clip_g")


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_ai_toolkit(tmp_path, ending):
    rows = trainers.ai_toolkit(tmp_path / f"tg-mika{ending}")
    read = read_embedding(tmp_path / f"tg-mika{ending}")
    check(read, rows, "tg-mika")
    assert (read.step, read.info.model_name, read.info.model_hash) == (250, "", "")


@pytest.mark.parametrize(("chunk", "strips"), [(True, False), (False, True), (True, True)])
def test_a1111_png(tmp_path, chunk, strips):
    path = tmp_path / "picture.png"
    rows = trainers.a1111_png(path, chunk=chunk, strips=strips)
    read = read_embedding(path)
    check(read, rows, "tg-mika")
    assert read.step == 250
    assert torch.equal(host_load(path).vec, rows)


def test_a1111_strips_in_a_lossless_webp(tmp_path):
    rows = trainers.a1111_png(tmp_path / "picture.png")
    with Image.open(tmp_path / "picture.png") as picture:
        picture.save(tmp_path / "picture.webp", lossless=True)
    check(read_embedding(tmp_path / "picture.webp"), rows, "tg-mika")


def test_an_ordinary_picture_is_refused(tmp_path):
    trainers.a1111_png(tmp_path / "picture.png", chunk=False, strips=False)
    with pytest.raises(UserError, match="holds no embedding"):
        read_embedding(tmp_path / "picture.png")


def test_the_ending_does_not_matter(tmp_path):
    trainers.kohya(tmp_path / "mine.safetensors")
    (tmp_path / "mine.safetensors").rename(tmp_path / "mine.pt")
    check(read_embedding(tmp_path / "mine.pt"), trainers.drawn(), "mine")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"a": torch.zeros(1, 8), "b": torch.zeros(1, 8)}, "2 sets of vectors"),
        ({"string_to_param": {"*": torch.zeros(1, 8), "cat": torch.zeros(1, 8)}}, r"2 sets of vectors \('\*', 'cat'\)"),
        ({"string_to_param": {}}, "empty 'string_to_param'"),
        ({"string_to_param": {"*": "no tensor"}}, "no tensor"),
        ({"string_to_param": torch.zeros(1, 8)}, "empty 'string_to_param'"),
        ({}, "holds no vectors"),
        ({"step": 3}, "holds no vectors"),
        ({"emb_params": torch.zeros(1, 2, 8)}, "shape 1 x 2 x 8"),
        ({"emb_params": torch.zeros(())}, "a single number"),
        ({"emb_params": torch.zeros(0, 8)}, "shape 0 x 8"),
        ({"emb_params": torch.zeros(1, 8, dtype=torch.int64)}, "whole numbers"),
        ({"emb_params": torch.full((2, 8), float("nan"))}, "in vector 1, 2 of 2"),
        ({"emb_params": torch.full((1, 8), float("inf"), dtype=torch.float16)}, "not finite"),
        ({"clip_l": torch.zeros(1, 768), "clip_g": torch.zeros(2, 1280)}, "same number of vectors"),
        ({"lora_te_text_model.lora_down.weight": torch.zeros(1), "b": torch.zeros(1)}, "is a LoRA"),
        ({"model.diffusion_model.x": torch.zeros(1), "b": torch.zeros(1)}, "is a checkpoint"),
        (torch.zeros(1, 8), "no named tensors"),
        ([1, 2], "no named tensors"),
    ],
)
def test_what_is_no_embedding_is_refused_with_the_reason(tmp_path, content, told):
    torch.save(content, tmp_path / "mine.pt")
    with pytest.raises(UserError, match=told):
        read_embedding(tmp_path / "mine.pt")


def test_nan_in_a_picture_is_refused(tmp_path):
    data = trainers.a1111_dictionary({"TORCHTENSOR": [[1.0, float("nan")]]})
    trainers.a1111_png(tmp_path / "picture.png", strips=False, data=data)
    with pytest.raises(UserError, match="not finite"):
        read_embedding(tmp_path / "picture.png")


def test_a_bomb_in_the_strips_is_refused(tmp_path):
    picture = Image.new("RGB", (64, 128), "grey")
    add_strips(picture, b"0" * (17 * 1024 * 1024), picture).save(tmp_path / "x.png")
    with pytest.raises(UserError, match="more data than an embedding"):
        read_embedding(tmp_path / "x.png")


@pytest.mark.parametrize("text", [b"not base64 !", base64.b64encode(b"{"), base64.b64encode(json.dumps([1]).encode())])
def test_a_damaged_chunk_is_refused(tmp_path, text):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("sd-ti-embedding", text)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png", pnginfo=chunks)
    with pytest.raises(UserError, match="picture"):
        read_embedding(tmp_path / "x.png")
