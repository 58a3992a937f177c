"""Files made to attack or confuse the reader run nothing and end in a sentence."""

import builtins
import io
import os
import pickle
import random
import struct
import zipfile

import pytest
import torch

from tests.embedding import trainers
from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import read_embedding, write_embedding
from train_gamma.errors import UserError


class Attack:
    """Unpickling this creates the file ``marker``."""

    def __init__(self, marker, function=os.system):
        self.marker, self.function = marker, function

    def __reduce__(self):
        if self.function is os.system:
            return os.system, (f"touch '{self.marker}'",)
        return self.function, (f"open({str(self.marker)!r}, 'w').close()",)


def as_zip(value, path):
    torch.save(value, path)


def as_legacy(value, path):
    torch.save(value, path, _use_new_zipfile_serialization=False)


def as_plain_pickle(value, path):
    path.write_bytes(pickle.dumps(value))


def as_protocol_0(value, path):
    path.write_bytes(pickle.dumps(value, protocol=0))


CONTAINERS = [as_zip, as_legacy, as_plain_pickle, as_protocol_0]


def test_the_attack_works_on_an_unguarded_reader(tmp_path):
    for function in (os.system, builtins.exec):
        pickle.loads(pickle.dumps(Attack(tmp_path / "marker", function)))
        (tmp_path / "marker").unlink()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("ending", [".pt", ".bin"])
@pytest.mark.parametrize(("function", "told"), [(os.system, r"'(posix|nt)\.system'"), (exec, r"builtin.*\.exec'")])
def test_code_in_a_pickle_is_refused_and_not_run(tmp_path, container, ending, function, told):
    path, marker = tmp_path / f"mine{ending}", tmp_path / "marker"
    container(Attack(marker, function), path)
    with pytest.raises(UserError, match=told):
        read_embedding(path)
    assert not marker.exists()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("ending", [".safetensors", ".png", ".txt", ""])
def test_code_under_a_harmless_ending_is_refused_and_not_run(tmp_path, container, ending):
    path, marker = tmp_path / f"mine{ending}", tmp_path / "marker"
    container(Attack(marker), path)
    with pytest.raises(UserError):
        read_embedding(path)
    assert not marker.exists()


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("place", ["key beside", "in string_to_param", "deep", "in a parameter", "after the tensor"])
def test_code_beside_real_vectors_is_refused_and_not_run(tmp_path, container, place):
    path, marker = tmp_path / "mine.pt", tmp_path / "marker"
    attack, rows = Attack(marker), torch.zeros(1, 8)
    if container in (as_plain_pickle, as_protocol_0):
        rows = [0.0]
    content = {
        "key beside": {**trainers.a1111_dictionary(rows), "extra": attack},
        "in string_to_param": {"string_to_param": {"*": attack}},
        "deep": {"string_to_param": {"*": rows}, "x": [({"y": [attack]},)]},
        "in a parameter": {"emb_params": rows, "hooks": {"a": attack}},
        "after the tensor": {"string_to_param": {"*": rows}, "zzz": attack},
    }[place]
    container(content, path)
    with pytest.raises(UserError, match="may be malicious"):
        read_embedding(path)
    assert not marker.exists()


def hand_made(body, marker):
    """Protocol 0 and 2 instructions with ``MARKER`` replaced by a command."""
    return body.replace(b"COMMAND", f"touch {marker}".encode())


@pytest.mark.parametrize(
    "body",
    [
        b"(S'COMMAND'\nios\nsystem\n.",
        b"(cos\nsystem\nS'COMMAND'\no.",
        b"cos\nsystem\n(S'COMMAND'\ntR.",
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93(S'COMMAND'\nt\x81.",
        b"\x80\x02cbuiltins\ngetattr\n(cbuiltins\n__import__\nS'__call__'\ntR(S'os'\ntR.",
        b"\x80\x02ccollections\nOrderedDict\n)R}S'__class__'\ncos\nsystem\nsb.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(ctorch.hub\nload\ntR.",
        b"\x80\x02ctorch.jit\nload\n(S'COMMAND'\ntR.",
        b"\x80\x04\x8c\x15torch.FloatStorage.os.\x8c\x06system\x93)R.",
        b"\x82\x01.",
    ],
)
@pytest.mark.parametrize("place", ["first", "fourth", "zip"])
def test_every_way_to_name_or_call_something_is_refused(tmp_path, body, place):
    path, marker = tmp_path / "mine.pt", tmp_path / "marker"
    body = hand_made(body, marker)
    if place == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", body)
    else:
        before = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({}, 2)]
        path.write_bytes(body if place == "first" else b"".join(before) + body)
    with pytest.raises(UserError):
        read_embedding(path)
    assert not marker.exists()


def test_allowed_names_are_not_called_either(tmp_path, monkeypatch):
    def called(*arguments):
        raise AssertionError("the reader called torch's rebuild function")

    trainers.a1111_pt(tmp_path / "mine.pt")
    trainers.rinongal_pt(tmp_path / "other.pt")
    monkeypatch.setattr(torch._utils, "_rebuild_tensor_v2", called)
    monkeypatch.setattr(torch._utils, "_rebuild_parameter", called)
    monkeypatch.setattr(torch.nn.ParameterDict, "__setstate__", called, raising=False)
    assert torch.equal(read_embedding(tmp_path / "mine.pt").vectors["clip_l"], trainers.drawn())
    assert torch.equal(read_embedding(tmp_path / "other.pt").vectors["clip_l"], trainers.drawn())


class Storage:
    """A reference to numbers that are not there, or not enough."""

    def __init__(self, numel):
        self.numel = numel


def crafted(path, size, stride, offset=0, numel=4, numbers=16):
    """A zip with one float tensor of any claimed shape over ``numbers`` bytes."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", torch.FloatStorage, "0", "cpu", obj.numel) if isinstance(obj, Storage) else None

    class Rows:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (Storage(numel), offset, size, stride, False, {})

    file = io.BytesIO()
    Pickler(file, protocol=2).dump({"emb_params": Rows()})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", file.getvalue())
        archive.writestr("archive/data/0", bytes(numbers))


def test_a_crafted_tensor_that_is_right_is_read(tmp_path):
    crafted(tmp_path / "mine.pt", (2, 2), (1, 2))
    assert read_embedding(tmp_path / "mine.pt").vectors["clip_l"].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    "claim",
    [
        {"size": (1, 8), "stride": (8, 1)},
        {"size": (2, 2), "stride": (2, 1), "offset": 1},
        {"size": (2, 2), "stride": (2, 1), "offset": -1},
        {"size": (2, 2), "stride": (2, -1)},
        {"size": (2, 2), "stride": (2,)},
        {"size": (10**9, 768), "stride": (0, 0)},
        {"size": (10**6, 768), "stride": (768, 1), "numel": 768 * 10**6},
        {"size": (2, 2), "stride": (2, 1), "numel": 4, "numbers": 8},
        {"size": ("2", 2), "stride": (2, 1)},
        {"size": None, "stride": None},
        {"size": (1,) * 30, "stride": (1,) * 30},
        {"size": (2, 2), "stride": (2, 1), "numel": "4"},
        {"size": (2, 2), "stride": (2, 1), "offset": "0"},
    ],
)
def test_tensors_that_lie_about_their_numbers_are_refused(tmp_path, claim):
    crafted(tmp_path / "mine.pt", **claim)
    with pytest.raises(UserError):
        read_embedding(tmp_path / "mine.pt")


def test_a_checkpoint_is_refused_before_it_fills_the_memory(tmp_path):
    state = {f"layer{index}.weight": torch.zeros(1).expand(4 * 1024 * 1024) for index in range(40)}
    torch.save({"state_dict": state}, tmp_path / "model.pt")
    with pytest.raises(UserError, match="seems to be a checkpoint"):
        read_embedding(tmp_path / "model.pt")


def test_contents_that_multiply_do_not(tmp_path):
    content = {"a": 1}
    for _ in range(6):
        content = dict.fromkeys(map(str, range(300)), content)
    torch.save({"string_to_param": {"*": torch.ones(1, 8)}, "more": content}, tmp_path / "mine.pt")
    assert read_embedding(tmp_path / "mine.pt").num_vectors == 1


def test_contents_that_contain_themselves_end(tmp_path):
    content = {"emb_params": torch.ones(1, 8)}
    content["again"] = content
    torch.save(content, tmp_path / "mine.pt")
    assert read_embedding(tmp_path / "mine.pt").num_vectors == 1


def test_huge_claims_of_a_legacy_file_are_refused(tmp_path):
    path = tmp_path / "mine.pt"
    trainers.a1111_pt(path, legacy=True)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<q", 3 * 768), struct.pack("<q", 2**62)))
    assert torch.equal(read_embedding(path).vectors["clip_l"], trainers.drawn())
    path.write_bytes(data[: -3 * 768 * 4])
    with pytest.raises(UserError, match="ends too early"):
        read_embedding(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>log in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
        (b"just some text that is no embedding at all", "damaged|none of the formats"),
        (b"PK\x03\x04 and nothing more", "damaged"),
        (b"\x80\x02.", "damaged"),
        (struct.pack("<Q", 12) + b'{"emb_param', "damaged"),
        (struct.pack("<Q", 2**60) + b"{}", "damaged|none of the formats"),
        (b"\x89PNG\r\n\x1a\n broken", "picture is damaged"),
    ],
)
@pytest.mark.parametrize("ending", [".pt", ".bin", ".safetensors", ".png"])
def test_files_that_are_something_else_are_refused(tmp_path, data, told, ending):
    (tmp_path / f"mine{ending}").write_bytes(data)
    with pytest.raises(UserError, match=told):
        read_embedding(tmp_path / f"mine{ending}")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match="no embedding file"):
        read_embedding(tmp_path / "missing.pt")
    with pytest.raises(UserError, match="cannot be opened"):
        read_embedding(tmp_path)


@pytest.mark.parametrize("ending", [".pt", ".safetensors", ".png", ".zip.pt"])
def test_cut_and_damaged_files_never_raise_anything_but_a_user_error(tmp_path, ending):
    path = tmp_path / f"mine{ending}"
    embedding = Embedding("mine", {"clip_l": torch.ones(1, 8)}, 3)
    if ending == ".zip.pt":
        torch.save(trainers.a1111_dictionary(torch.ones(1, 8)), path)
    elif ending == ".png":
        trainers.a1111_png(path, data=trainers.a1111_dictionary({"TORCHTENSOR": [[1.0] * 8]}))
    else:
        write_embedding(embedding, path)
    data, chance = path.read_bytes(), random.Random(3)
    damaged = [data[: chance.randrange(len(data))] for _ in range(60)]
    for _ in range(120):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 4))):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        damaged.append(bytes(changed))
    messages = [refusal(path, content) for content in damaged]
    assert sum(bool(message) for message in messages) >= 30


def refusal(path, content):
    """The message with which ``content`` is refused, "" if it is read; any other exception is let through."""
    path.write_bytes(content)
    try:
        read_embedding(path)
    except UserError as error:
        return str(error)
    return ""
