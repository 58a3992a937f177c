"""The presets that come with the program, and where their numbers are from.

S0 to S3 are guides that people train by: "Randanon's Oversimplified Embed Training for Characters", the Textual
Inversion and DreamArtist guide, "Stable Diffusion: Textual Inversion embeddings", and "Every TI Has Its Own
Personality". A preset sets what any of them names, so that one can be chosen after the other; everything else stays
as it is in the form.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from train_gamma.training.config import RunConfig

Values = dict[str, dict[str, Any]]

_CHARACTER: Values = {
    # 16 vectors: "hasn't failed me yet" (S0), "8 or 16 being safe options" (S3).
    "embedding": {"num_vectors": 16, "start": "text", "init_text": "girl", "short_text": "repeat_noise"},
    "dataset": {
        "width": 512,
        "height": 512,
        "bucket_step": 64,
        "bucket_min": 256,
        "bucket_max": 1024,
        "templates": ["[name], [filewords]"],
        "shuffle_tags": True,  # S0, step 8
        "flip": False,  # "not recommended for faces" (S2)
        "latent_sampling": "deterministic",  # S0, step 9
    },
    "training": {
        "learning_rate": "0.004",  # "I usually choose 0.003 or 0.004" (S3)
        "max_steps": 0,
        "max_epochs": 200,  # "Max steps / (DATASET / (BS x GA)) = 200" (S3); 5000 x 5 / 150 = 167 in S0
        "batch_size": 4,
        "gradient_accumulation": 1,
        "full_batch": False,
    },
    "preview": {"every_n_steps": 250, "at_start": True, "width": 512, "height": 512},
    "output": {"save_every_n_steps": 250},  # S0, step 7
}

_STYLE: Values = {
    # 3 vectors for less than a hundred pictures (S1).
    "embedding": {"num_vectors": 3, "start": "text", "init_text": "style", "short_text": "repeat_noise"},
    "dataset": {
        "width": 512,
        "height": 512,
        "bucket_step": 64,
        "bucket_min": 256,
        "bucket_max": 1024,
        # the words of the caption are what is not the style (S1: "use filewords for style, not for subject")
        "templates": [
            "[filewords], by [name]",
            "[filewords], in the style of [name]",
            "a picture of [filewords], [name]",
        ],
        "shuffle_tags": True,
        "latent_sampling": "random",
    },
    "training": {
        "learning_rate": "0.005",  # style 5e-3 (S1)
        "max_steps": 2000,  # style 1500 to 2000 (S1)
        "max_epochs": 0,
        "batch_size": 4,
        "gradient_accumulation": 1,
        "full_batch": False,
    },
    "preview": {"every_n_steps": 250, "at_start": True, "width": 512, "height": 512},
    "output": {"save_every_n_steps": 250},
}

_OBJECT: Values = {
    # as many vectors as a word or two of the start has tokens, "a really good default value anyway" (S2)
    "embedding": {"num_vectors": 2, "start": "text", "init_text": "object", "short_text": "repeat_noise"},
    "dataset": {
        "width": 512,
        "height": 512,
        "bucket_step": 64,
        "bucket_min": 256,
        "bucket_max": 1024,
        "templates": ["a photo of [name], [filewords]", "[name], [filewords]"],
        "shuffle_tags": False,  # captions of photos are sentences (S2)
        "latent_sampling": "random",
    },
    "training": {
        "learning_rate": "0.05:50, 0.01:100, 0.005:500, 0.001:1000, 0.0005",  # S2
        "max_steps": 1500,
        "max_epochs": 0,
        "batch_size": 4,
        "gradient_accumulation": 1,
        "full_batch": False,
    },
    "preview": {"every_n_steps": 250, "at_start": True, "width": 512, "height": 512},
    "output": {"save_every_n_steps": 250},
}

_FIFTEEN: Values = {
    # JernauGurgeh's recipe (S3): 15 pictures, batch 3, accumulation 15, 200 steps. The WebUI cuts the accumulation to
    # one pass over the pictures, so it is 200 steps of all pictures.
    "embedding": {"num_vectors": 8, "start": "text", "init_text": "girl", "short_text": "repeat_noise"},
    "dataset": {"width": 512, "height": 512, "bucket_step": 64, "bucket_min": 256, "bucket_max": 1024},
    "training": {
        "learning_rate": "0.004",
        "max_steps": 200,
        "max_epochs": 0,
        "batch_size": 3,
        "full_batch": True,
        "evaluate_every_n_steps": 20,
    },
    "preview": {"every_n_steps": 50, "at_start": True, "width": 512, "height": 512},
    "output": {"save_every_n_steps": 20},
}

_QUICK: Values = {
    # "the first 250-500 steps" tell whether pictures, captions and checkpoint work together (S0, section 8)
    "embedding": {"num_vectors": 2, "start": "text", "short_text": "repeat_noise"},
    "dataset": {"width": 512, "height": 512, "bucket_step": 64, "bucket_min": 256, "bucket_max": 1024},
    "training": {
        "learning_rate": "0.005",  # S1, S2 and the paper (Gal et al. 2022)
        "max_steps": 250,
        "max_epochs": 0,
        "batch_size": 4,
        "gradient_accumulation": 1,
        "full_batch": False,
        "evaluate_every_n_steps": 50,
    },
    "preview": {"every_n_steps": 50, "at_start": True, "width": 512, "height": 512},
    "output": {"save_every_n_steps": 50},
}

_MINIATURE: Values = {
    # the demo's settings, see demo/benchmark.py
    "model": {"path": "miniature"},
    "embedding": {"num_vectors": 2, "start": "text", "init_text": "girl", "short_text": "repeat_noise"},
    "dataset": {"width": 80, "height": 80, "bucket_step": 32, "bucket_min": 64, "bucket_max": 96},
    "training": {
        "learning_rate": "0.02",
        "max_steps": 300,
        "max_epochs": 0,
        "batch_size": 8,
        "gradient_accumulation": 1,
        "full_batch": False,
        "timestep_sampling": "high_noise",
        "evaluate_every_n_steps": 100,
        "evaluation_batches": 6,
    },
    "preview": {
        "every_n_steps": 150,
        "at_start": True,
        "prompts": [
            "[name], blue sky, holding sword, looking at viewer, upper body",
            "[name], forest, holding flower, head tilt, close-up",
            "[name], night, holding wand, looking to the side, upper body --w 64 --h 96",
            "[name], sunset, holding balloon, looking at viewer --w 96 --h 64",
        ],
        "width": 64,
        "height": 64,
        "steps": 24,
        "guidance_scale": 3.0,
    },
    "output": {"save_every_n_steps": 100},
}

_PRESETS: dict[str, Values] = {
    "Character": _CHARACTER,
    "Style": _STYLE,
    "Object": _OBJECT,
    "Fifteen pictures": _FIFTEEN,
    "Quick look": _QUICK,
    "Miniature (demo)": _MINIATURE,
}

_THE_USERS = {("model", "path"), ("embedding", "init_text")}
"""What a preset leaves as it is unless it names it."""


def _completed(preset: Values) -> Values:
    """The preset, with the default of each setting that another preset changes, so that nothing of that one stays."""
    content = {section: dict(values) for section, values in preset.items()}
    defaults = RunConfig().to_dict()
    for other in _PRESETS.values():
        for section, key in [(section, key) for section, values in other.items() for key in values]:
            if (section, key) not in _THE_USERS:
                default = defaults[section][key]
                content.setdefault(section, {}).setdefault(
                    key, list(default) if isinstance(default, tuple) else default
                )
    return content


BUILT_IN: Mapping[str, Values] = MappingProxyType({name: _completed(preset) for name, preset in _PRESETS.items()})
"""Preset values by name, in the order they are offered in."""
