"""Files as the programs that train embeddings write them, following the code that saves them.

Sources are named at each function by repository and commit. Every function returns the vectors that are in the file.
"""

import base64
import io
import json
import pickle
import zipfile
import zlib
from pathlib import Path

import safetensors.torch
import torch
from PIL import Image, PngImagePlugin
from torch import nn

from tests.embedding.host_rules import sequence

XTI_LAYERS = [
    *("IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID"),
    *("OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08", "OUT09", "OUT10", "OUT11"),
]


def drawn(num_vectors=3, width=768, seed=0):
    return torch.randn(num_vectors, width, generator=torch.Generator().manual_seed(seed)) * 0.014


def a1111_dictionary(rows, name="tg-mika", step=250):
    """AUTOMATIC1111 feee37d7, textual_inversion.py: Embedding.save."""
    return {
        "string_to_token": {"*": 265},
        "string_to_param": {"*": rows},
        "name": name,
        "step": step,
        "sd_checkpoint": "6ce0161689",
        "sd_checkpoint_name": "v1-5-pruned-emaonly",
    }


def a1111_pt(path: Path, *, legacy=False):
    """After training ``vec`` is a leaf tensor that requires a gradient."""
    rows = drawn().requires_grad_()
    torch.save(a1111_dictionary(rows), path, _use_new_zipfile_serialization=not legacy)
    return rows.detach()


def a1111_pt_of_torch_1(path: Path):
    """The zip of torch 1.12: data.pkl, data/0, version and nothing else."""
    rows = drawn()
    file = io.BytesIO()
    torch.save(a1111_dictionary(rows), file)
    with zipfile.ZipFile(file) as new, zipfile.ZipFile(path, "w") as old:
        for name in ("data.pkl", "data/0", "version"):
            old.writestr(f"archive/{name}", new.read(f"archive/{name}"))
    return rows


def rinongal_pt(path: Path, *, legacy=False):
    """rinongal/textual_inversion 424192de, ldm/modules/embedding_manager.py: EmbeddingManager.save."""
    rows = drawn()
    terms = nn.ParameterDict()
    terms["*"] = nn.Parameter(rows.clone())
    torch.save(
        {"string_to_token": {"*": torch.tensor(265)}, "string_to_param": terms},
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    return rows


def kohya(path: Path, dtype=None):
    """kohya-ss/sd-scripts 48d368fa, train_textual_inversion.py: save_weights."""
    rows = drawn()
    state = {"emb_params": rows if dtype is None else rows.clone().to(dtype)}
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path, {"modelspec.title": "tg-mika", "modelspec.resolution": "512x512"})
    else:
        torch.save(state, path)
    return state["emb_params"].float()


def kohya_sdxl(path: Path):
    """kohya-ss/sd-scripts 48d368fa, sdxl_train_textual_inversion.py: save_weights."""
    state = {"clip_l": drawn(2, 768), "clip_g": drawn(2, 1280, seed=1)}
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(state, path, {"modelspec.title": "tg-mika"})
    else:
        torch.save(state, path)
    return state


def kohya_xti(path: Path):
    """kohya-ss/sd-scripts 48d368fa, train_textual_inversion_XTI.py: save_weights."""
    safetensors.torch.save_file({layer: drawn(2, 768, seed=i) for i, layer in enumerate(XTI_LAYERS)}, path)


def onetrainer(path: Path, *, output=False, dtype=torch.float32):
    """Nerogar/OneTrainer 23df3832, modules/modelSaver/stableDiffusion/StableDiffusionEmbeddingSaver.py."""
    rows = drawn().to(dtype)
    state = {"emp_params": rows}
    if output:
        state["emp_params_out"] = drawn(seed=5).to(dtype)
    safetensors.torch.save_file(state, path)
    return rows.float()


def onetrainer_sdxl(path: Path):
    """Nerogar/OneTrainer 23df3832, modules/modelSaver/stableDiffusionXL/StableDiffusionXLEmbeddingSaver.py."""
    state = {"clip_l": drawn(2, 768), "clip_g": drawn(2, 1280, seed=1)}
    outputs = {"clip_l_out": drawn(2, 768, seed=2), "clip_g_out": drawn(2, 1280, seed=3)}
    safetensors.torch.save_file({**state, **outputs}, path)
    return state


def diffusers(path: Path, num_vectors=2):
    """huggingface/diffusers 01db9ac0, examples/textual_inversion/textual_inversion_sdxl.py: save_progress.

    The rows are a view into the whole vocabulary, and torch.save stores the whole.
    """
    vocabulary = drawn(40, 768)
    rows = vocabulary[37 : 37 + num_vectors]
    state = {"<cat-toy>": rows.detach().cpu()}
    if path.suffix == ".safetensors":
        safetensors.torch.save_file({"<cat-toy>": rows.clone()}, path, metadata={"format": "pt"})
    else:
        torch.save(state, path)
    return rows.clone()


def diffusers_one_row(path: Path):
    """huggingface/diffusers before multi-vector support: ``weight[placeholder_token_id]`` is one-dimensional."""
    row = drawn(40, 768)[37]
    torch.save({"<cat-toy>": row}, path)
    return row.clone().unsqueeze(0)


def ai_toolkit(path: Path):
    """ostris/ai-toolkit 27a03a91, toolkit/embedding.py: Embedding.save, and toolkit/metadata.py."""
    rows = drawn()
    content = {**a1111_dictionary(rows), "sd_checkpoint": None, "sd_checkpoint_name": None, "notes": None}
    if path.suffix == ".safetensors":
        told = {key: json.dumps(value) for key, value in content.items() if key != "string_to_param"}
        told["string_to_param"] = json.dumps({"*": "emb_params"})
        told["software"] = json.dumps({"name": "ai-toolkit"})
        safetensors.torch.save_file({"emb_params": rows}, path, {**told, "format": "pt"})
    else:
        torch.save(content, path)
    return rows


def directml_pt(path: Path):
    """A1111 on a device without storages: torch pickles a tensor as a numpy array and its dtype (torch/_tensor.py)."""
    rows = drawn(2, 64)
    array = rows.numpy()

    class Rows:
        def __reduce__(self):
            return torch._utils._rebuild_device_tensor_from_numpy, (array, torch.float32, "privateuseone:0", True)

    file = io.BytesIO()
    pickle.dump(a1111_dictionary(Rows()), file, protocol=2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", file.getvalue())
        archive.writestr("archive/version", "3\n")
    return rows


def a1111_png(path: Path, *, chunk=True, strips=True, data=None):
    """AUTOMATIC1111 feee37d7, image_embedding.py: insert_image_data_embed, and the text chunk beside it."""
    rows = drawn(2, 64)
    data = a1111_dictionary({"TORCHTENSOR": rows.tolist()}) if data is None else data
    text = json.dumps(data).encode()
    picture = Image.radial_gradient("L").resize((96, 128)).convert("RGB")
    if strips:
        picture = _with_strips(picture, zlib.compress(text, 9))
    chunks = PngImagePlugin.PngInfo()
    if chunk:
        chunks.add_text("sd-ti-embedding", base64.b64encode(text))
    picture.save(path, "PNG", pnginfo=chunks)
    return rows


def _with_strips(picture, packed):
    """The host repeats the data to fill whole columns of 3 channels, and decorates the upper bits with dots."""
    width, height = picture.size
    columns = len(packed) // (3 * height) + 2
    length = columns * height * 3
    packed = (packed * (length // len(packed) + 1))[:length]
    mixed = sequence(len(packed))
    card = Image.new("RGB", (width + 2 * columns + 2, height))
    for offset, shift in ((0, 0), (columns + width + 2, 4)):
        for index in range(0, len(packed), 3):
            x, y = index // 3 % columns, index // 3 // columns
            dot = 0xA0 if (x + y) % 5 else 0
            values = ((packed[i] >> shift & 15) ^ (mixed[i] & 15) | dot for i in range(index, index + 3))
            card.putpixel((offset + x, y), tuple(values))
    card.paste(picture, (columns + 1, 0))
    return card
