import errno
import os

import numpy as np
import pytest
import torch

from tests.dataset.drawn import draw_folder, gradient, noise, small_config
from train_gamma import atomic
from train_gamma.backbone import LatentDistribution
from train_gamma.dataset.buckets import apply_fit
from train_gamma.dataset.dataset import load_dataset
from train_gamma.dataset.latents import LatentCache, to_pixels
from train_gamma.errors import UserError

SIZES = [(64, 64), (90, 60), (40, 70)]


class CornerVae:
    """A VAE that looks at the corner of every 8 x 8 block: mirroring its latents is not encoding mirrored pixels."""

    def __init__(self):
        self.calls = 0
        self.spoil = None

    def __call__(self, pixels):
        self.calls += 1
        corners = pixels[:, :, ::8, ::8]
        mean = torch.cat([corners, corners[:, :1] * 2], 1)
        std = mean.abs() + 0.1
        if self.spoil is not None:
            std[0, 0, 0, 0] = self.spoil
        return LatentDistribution(mean, std)


def forbidden(_pixels):
    raise AssertionError("the VAE was called")


@pytest.fixture
def dataset(tmp_path):
    return load_dataset(small_config(draw_folder(tmp_path / "pictures", SIZES)), "gamma")


def filled(dataset, encode, folder=None, flip=False, vae="vae"):
    cache = LatentCache(dataset, encode, vae, folder, flip)
    cache.fill()
    return cache


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_pixels_run_from_minus_one_to_one_with_rows_down_and_columns_right():
    pixels = to_pixels(gradient(9, 5))
    assert pixels.shape == (3, 5, 9)
    assert pixels.dtype == torch.float32
    assert torch.allclose(pixels[0, 2], torch.linspace(-1, 1, 9), atol=0.01)
    assert torch.allclose(pixels[1, :, 4], torch.linspace(-1, 1, 5), atol=0.01)
    assert torch.equal(pixels[2], torch.full((5, 9), -1.0))


def test_latents_are_the_posterior_of_the_fitted_picture(dataset):
    vae = CornerVae()
    cache = filled(dataset, vae)
    for index, item in enumerate(dataset.items):
        fitted = np.asarray(apply_fit(noise(*SIZES[index], index), item.fit), np.float64)
        expected = fitted[::8, ::8, :].transpose(2, 0, 1) / 127.5 - 1
        mean, std = cache.get(index, False)
        assert mean.shape == (4, item.fit.bucket.height // 8, item.fit.bucket.width // 8)
        assert np.allclose(mean[:3].numpy(), expected, atol=1e-6)
        assert np.allclose(std[:3].numpy(), np.abs(expected) + 0.1, atol=1e-6)


def test_the_mirrored_variant_is_the_encoding_of_the_mirrored_picture(dataset):
    cache = filled(dataset, CornerVae(), flip=True)
    for index, item in enumerate(dataset.items):
        fitted = np.asarray(apply_fit(noise(*SIZES[index], index), item.fit), np.float64)
        expected = fitted[::8, ::-1, :][:, ::8].transpose(2, 0, 1) / 127.5 - 1
        assert np.allclose(cache.get(index, True)[0][:3].numpy(), expected, atol=1e-6)
        assert not torch.allclose(cache.get(index, True)[0], cache.get(index, False)[0].flip(-1))


def test_the_vae_is_not_called_after_the_cache_is_filled(dataset):
    vae = CornerVae()
    cache = filled(dataset, vae, flip=True)
    assert vae.calls == 6
    for index in range(3):
        cache.get(index, False)
        cache.get(index, True)
    cache.fill()
    assert vae.calls == 6


def test_copies_of_a_picture_are_encoded_once(tmp_path):
    draw_folder(tmp_path, SIZES)
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    vae = CornerVae()
    cache = filled(load_dataset(small_config(tmp_path), "gamma"), vae)
    assert vae.calls == 3
    assert same(cache.get(0), cache.get(3))


def test_a_second_run_reads_the_latents_from_disk(dataset, tmp_path):
    first = filled(dataset, CornerVae(), tmp_path / "cache", flip=True)
    second = filled(dataset, forbidden, tmp_path / "cache", flip=True)
    assert all(same(first.get(index, flip), second.get(index, flip)) for index in range(3) for flip in (False, True))
    assert second.warnings == ()
    assert len(list((tmp_path / "cache").iterdir())) == 6


def test_a_renamed_picture_is_not_encoded_again(dataset, tmp_path):
    filled(dataset, CornerVae(), tmp_path / "cache")
    (tmp_path / "pictures" / "0.png").rename(tmp_path / "pictures" / "renamed.png")
    filled(load_dataset(dataset.config, "gamma"), forbidden, tmp_path / "cache")


@pytest.mark.parametrize(
    ("changes", "vae", "flip"),
    [
        ({"background": "red"}, "vae", False),
        ({"width": 128}, "vae", False),
        ({}, "other vae", False),
        ({}, "vae", True),
    ],
)
def test_what_decides_a_latent_is_part_of_its_key(dataset, tmp_path, changes, vae, flip):
    filled(dataset, CornerVae(), tmp_path / "cache")
    counter = CornerVae()
    changed = load_dataset(small_config(tmp_path / "pictures", **changes), "gamma")
    filled(changed, counter, tmp_path / "cache", flip, vae)
    assert counter.calls == 3


def test_the_crop_is_part_of_the_key_even_when_the_scaled_size_is_the_same(tmp_path):
    folder = draw_folder(tmp_path / "wide", [(96, 64)])
    square = load_dataset(small_config(folder, bucket_min=64, bucket_max=64), "gamma")
    wider = load_dataset(small_config(folder, width=80, bucket_min=64, bucket_max=80), "gamma")
    assert square.items[0].fit.resized == wider.items[0].fit.resized == (96, 64)
    filled(square, CornerVae(), tmp_path / "cache")
    assert filled(wider, CornerVae(), tmp_path / "cache").get(0)[0].shape == (4, 8, 10)


def _cut(path):
    path.write_bytes(path.read_bytes()[:100])


def _flip_bit(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


def _empty(path):
    path.write_bytes(b"")


def _swap(path):
    other = next(file for file in path.parent.iterdir() if file != path)
    path.write_bytes(other.read_bytes())


def _folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [_cut, _flip_bit, _empty, _swap, _folder])
def test_a_damaged_file_is_encoded_again_with_a_warning(dataset, tmp_path, damage):
    first = filled(dataset, CornerVae(), tmp_path / "cache")
    path = sorted((tmp_path / "cache").iterdir())[1]
    damage(path)
    vae = CornerVae()
    second = filled(dataset, vae, tmp_path / "cache")
    assert vae.calls == 1
    assert all(same(first.get(index), second.get(index)) for index in range(3))
    assert path.name in second.warnings[0]
    assert "is damaged" in second.warnings[0]
    if damage is not _folder:
        assert filled(dataset, forbidden, tmp_path / "cache").warnings == ()


def test_a_full_disk_costs_the_cache_and_not_the_run(dataset, tmp_path, monkeypatch):
    def refuse(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic, "write_bytes", refuse)
    cache = filled(dataset, CornerVae(), tmp_path / "cache")
    assert cache.get(2)[0].shape[0] == 4
    assert len(cache.warnings) == 1
    assert "No space left on device. Latents are kept in memory only." in cache.warnings[0]


def test_a_cache_folder_that_is_a_file_is_refused_before_any_work(dataset, tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(UserError, match=r"Latent cache folder '.*cache' cannot be made: File exists"):
        filled(dataset, forbidden, tmp_path / "cache")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_not_finite_name_the_picture(dataset, tmp_path, value):
    vae = CornerVae()
    vae.spoil = value
    with pytest.raises(UserError, match=r"not finite \(NaN or infinite\) for '.*0\.png'"):
        filled(dataset, vae, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_picture_that_changed_meanwhile_is_refused(dataset, tmp_path):
    noise(64, 64, 77).save(tmp_path / "pictures" / "1.png")
    with pytest.raises(UserError, match=r"1\.png' was changed after the dataset was read"):
        filled(dataset, CornerVae())


def test_progress_is_told_after_each_picture(dataset):
    told = []
    LatentCache(dataset, CornerVae(), "vae", None, True).fill(lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_mirror_images_are_only_there_when_asked_for(dataset):
    with pytest.raises(KeyError):
        filled(dataset, CornerVae()).get(0, True)


def test_latents_can_be_moved_to_a_device(dataset):
    cache = filled(dataset, CornerVae())
    assert cache.to("meta") is cache
    assert cache.get(0)[0].device.type == "meta"
