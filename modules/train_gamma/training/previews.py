"""Preview pictures: kohya's prompt syntax, and making them without touching the run."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL.PngImagePlugin import PngInfo

from train_gamma import atomic
from train_gamma.backbone import Backbone, RenderRequest, Vectors
from train_gamma.errors import UserError, raise_all
from train_gamma.training.config import PreviewConfig
from train_gamma.training.options import range_problems
from train_gamma.training.run_folder import RunFolder

SIZE_STEP = 8


@dataclass(frozen=True, slots=True)
class Preview:
    """One preview: the line it was read from and what it asks for; [name] is still in the prompt."""

    line: str
    request: RenderRequest


def load_previews(config: PreviewConfig) -> tuple[Preview, ...]:
    """The previews of a run: the prompts of the configuration, then those of the prompt file.

    Raises:
        UserError: if the file cannot be read or an option of a prompt makes no sense.
    """
    lines = list(config.prompts)
    if config.prompt_file:
        path = Path(config.prompt_file)
        try:
            lines += path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"Preview prompt file '{path}' cannot be read: {error}.") from error
    lines = [line.strip() for line in lines]
    lines = [line for line in lines if line and not line.startswith("#")]
    return tuple(parse_preview(line, config) for line in lines or ["[name]"])


def parse_preview(line: str, config: PreviewConfig) -> Preview:
    """Read a prompt in kohya's syntax: ``a cat --n ugly --w 512 --h 768 --d 7 --l 7.5 --s 30``.

    The options are those of kohya's sd-scripts (commit 48d368fa, library/train_util.py): negative prompt, width,
    height, seed, guidance scale and steps. Letters may be large or small. What is not given comes from ``config``.

    Raises:
        UserError: if an option is unknown or its value is not what it should be.
    """
    prompt, *options = re.split(r"(?:^|\s+)--(?=[A-Za-z])", line)
    request = RenderRequest(
        prompt=prompt.strip(),
        width=config.width,
        height=config.height,
        steps=config.steps,
        guidance_scale=config.guidance_scale,
        seed=config.seed,
    )
    for option in options:
        request = _with_option(line, request, option)
    asked = {name: getattr(request, name) for name, _ in _OPTIONS.values() if name != "negative_prompt"}
    problems = range_problems(replace(config, **asked))
    for what, pixels in (("width", request.width), ("height", request.height)):
        if pixels % SIZE_STEP:
            problems.append(f"Preview {what} must be a multiple of {SIZE_STEP}, got {pixels}.")
    raise_all([f"Preview '{line}': {problem}" for problem in problems])
    return Preview(line, request)


_OPTIONS: dict[str, tuple[str, type]] = {
    "n": ("negative_prompt", str),
    "w": ("width", int),
    "h": ("height", int),
    "d": ("seed", int),
    "l": ("guidance_scale", float),
    "s": ("steps", int),
}


def _with_option(line: str, request: RenderRequest, option: str) -> RenderRequest:
    letter, *rest = option.split(maxsplit=1)
    value = rest[0] if rest else ""
    if letter.lower() not in _OPTIONS:
        known = ", ".join(f"--{key}" for key in _OPTIONS)
        raise UserError(f"Preview '{line}': --{letter} is not known. Known are {known}.")
    name, kind = _OPTIONS[letter.lower()]
    try:
        return replace(request, **{name: kind(value.strip())})
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise UserError(f"Preview '{line}': --{letter} needs {what}, got '{value.strip()}'.") from None


def make_previews(
    backbone: Backbone, previews: Sequence[Preview], name: str, vectors: Vectors, folder: RunFolder, step: int
) -> list[Path]:
    """Render every preview with ``vectors`` and write it as a PNG that says how it was made."""
    paths = []
    for index, preview in enumerate(previews):
        request = named(preview.request, name)
        picture = backbone.render(request, {name: vectors})
        text = PngInfo()
        text.add_text("parameters", describe(request))
        text.add_text("train_gamma", f"step {step}, vectors {vectors_hash(vectors)}")
        path = folder.preview(step, index)
        atomic.write_with(path, lambda file, image=picture, info=text: image.save(file, "PNG", pnginfo=info))  # type: ignore[misc]
        paths.append(path)
    return paths


def named(request: RenderRequest, name: str) -> RenderRequest:
    """The request with [name] replaced in both prompts."""
    return replace(
        request,
        prompt=request.prompt.replace("[name]", name),
        negative_prompt=request.negative_prompt.replace("[name]", name),
    )


def describe(request: RenderRequest) -> str:
    """The request as A1111's infotext writes it."""
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(
        f"Steps: {request.steps}, Sampler: {request.sampler.upper()}, CFG scale: {request.guidance_scale:g}, "
        f"Seed: {request.seed}, Size: {request.width}x{request.height}"
    )
    return "\n".join(lines)


def vectors_hash(vectors: Vectors) -> str:
    """Ten hexadecimal digits that change when any value of the vectors does."""
    digest = hashlib.sha256()
    for key in sorted(vectors):
        digest.update(vectors[key].detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:10]
