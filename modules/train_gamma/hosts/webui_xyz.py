"""The axis "[Train Gamma] copies" of the WebUI's X/Y/Z plot: a picture for each copy of a run.

A value is a run (its name or its folder), which stands for all of its copies, or some of them: ``run:100,200,last``.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from train_gamma.embedding.embedding import Embedding
from train_gamma.embedding.files import READABLE, read_embedding
from train_gamma.errors import UserError
from train_gamma.hosts.webui_publish import forget_prompts
from train_gamma.jobs.history import run_copies
from train_gamma.service import Service
from train_gamma.training.run_folder import RunFolder

LABEL = "[Train Gamma] copies"
LAST = "last"
"""The finished embedding, as a step."""

_LISTED = 20
_log = logging.getLogger("train_gamma")


def add_axis(service: Callable[[], Service]) -> None:
    """Add the axis to the plot. It is found among the loaded scripts, as scripts cannot be imported."""
    from modules import scripts

    for entry in scripts.scripts_data:
        plot = entry.module
        if Path(str(entry.path)).name != "xyz_grid.py" or not hasattr(plot, "AxisOption"):
            continue
        if all(option.label != LABEL for option in plot.axis_options):
            plot.axis_options.append(_axis(plot, service))
        return
    _log.info("There is no X/Y/Z plot in this WebUI, so it has no axis for copies.")


def _axis(plot: Any, service: Callable[[], Service]) -> Any:
    stand_ins = StandIns()

    def confirm(p: Any, xs: list[str]) -> None:
        xs[:] = expand(xs, service().open_run)  # one value may stand for many cells
        _warn_of_prompt(p, xs, service())
        stand_ins.put_back()
        stand_ins.until_closed(p)

    def apply(p: Any, x: str, xs: Sequence[str]) -> None:  # noqa: ARG001 - the plot's signature
        folder, step = _parts(x)
        run = service().open_run(folder)
        stand_ins.use_in(p, service().run_config(run.path).embedding.name, _file(run, step))

    def told(p: Any, option: Any, x: str) -> str:  # noqa: ARG001
        return x

    def choices() -> list[str]:
        return _choices(service())

    return plot.AxisOption(LABEL, str, apply, format_value=told, confirm=confirm, cost=0.2, choices=choices)


def expand(values: Sequence[str], open_run: Callable[[str], RunFolder]) -> list[str]:
    """One ``run:step`` for each cell.

    Args:
        values: runs with or without ``:step``; a bare step belongs to the run before it, as commas part values.
        open_run: finds a run by its name or its folder.

    Raises:
        UserError: if there is no such run or copy.
    """
    cells: list[str] = []
    run = ""
    for value in (value.strip() for value in values if value.strip()):
        bare = re.fullmatch(rf"\d+|{LAST}", value) is not None
        if bare and not run:
            raise UserError(
                f"'{value}' has no run before it. Write it as run:{value}, with the name of the run's folder."
            )
        run, step = (run, value) if bare else _parts(value)
        folder = open_run(run)
        steps = [step] if step else _steps(folder)
        if not steps:
            raise UserError(f"The run '{folder.path.name}' has no copies. Choose another run.")
        for one in steps:
            _file(folder, one)
        cells += [f"{run}:{one}" for one in steps]
    return list(dict.fromkeys(cells))


class StandIns:
    """Embeddings that take the place of the WebUI's for the cells of a plot."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[Any, Any]] = {}  # by name: ours, and what was there before

    def use_in(self, p: Any, name: str, file: Path) -> None:
        """Let the pictures of ``p`` be made with the embedding in ``file`` as ``name``.

        It is put in when prompts are encoded, as a change of the checkpoint before that reads all embeddings anew.
        """
        ours = _host_embedding(read_embedding(file), name, file)
        setup_conds = p.setup_conds

        def with_ours() -> Any:
            self._put_in(name, ours)
            return setup_conds()

        p.setup_conds = with_ours

    def until_closed(self, p: Any) -> None:
        """Put everything back when the WebUI is done with ``p``, the request of the whole plot."""
        close = p.close

        def closed() -> Any:
            self.put_back()
            return close()

        p.close = closed

    def put_back(self) -> None:
        """Let the names mean what they did. What the WebUI has read anew meanwhile stays."""
        for name, (ours, before) in self._places.items():
            if _database().word_embeddings.get(name) is ours:
                _register(name, before)
        if self._places:
            forget_prompts()
        self._places.clear()

    def _put_in(self, name: str, ours: Any) -> None:
        if name in self._places and _database().word_embeddings.get(name) is ours:
            return
        expected = _database().expected_shape
        if expected not in (-1, ours.shape):
            raise UserError(f"The copies are for another kind of model: {ours.shape} values a vector, not {expected}.")
        self.put_back()
        self._places[name] = (ours, _database().word_embeddings.get(name))
        _register(name, ours)
        forget_prompts()


def _register(name: str, embedding: Any) -> None:
    from modules import shared

    _database().register_embedding_by_name(embedding, shared.sd_model, name)


def _database() -> Any:
    from modules import sd_hijack

    return sd_hijack.model_hijack.embedding_db


def _host_embedding(embedding: Embedding, name: str, file: Path) -> Any:
    from modules import devices
    from modules.textual_inversion import textual_inversion

    rows = {encoder: vectors.to(devices.device) for encoder, vectors in embedding.vectors.items()}
    made = textual_inversion.Embedding(rows if len(rows) > 1 else next(iter(rows.values())), name, embedding.step)
    made.vectors = embedding.num_vectors
    made.shape = sum(vectors.shape[1] for vectors in rows.values())
    made.filename = str(file)
    made.sd_checkpoint, made.sd_checkpoint_name = embedding.info.short_hash or None, embedding.info.model_name or None
    made.set_hash(hashlib.sha256(file.read_bytes()).hexdigest())  # the host's cache of hashes goes by the name alone
    return made


def _parts(value: str) -> tuple[str, str]:
    """The run and the step of a value, "" for all steps."""
    match = re.fullmatch(rf"(.+):\s*(\d+|{LAST})", value)
    return (match[1], match[2]) if match else (value, "")


def _steps(run: RunFolder) -> list[str]:
    steps = [str(step) for step, _ in run_copies(run)]
    return [*steps, LAST] if _finished(run) else steps


def _file(run: RunFolder, step: str) -> Path:
    files = [path for at, path in run_copies(run) if str(at) == str(int(step))] if step != LAST else _finished(run)
    if not files:
        raise UserError(f"The run '{run.path.name}' has no copy '{step}'. It has: {', '.join(_steps(run)) or 'none'}.")
    return files[0]


def _finished(run: RunFolder) -> list[Path]:
    """The embedding at the end of a run, which lies beside its settings."""
    names = {path.stem.rsplit("-", 1)[0] for _, path in run_copies(run)}
    files = [path for path in run.path.iterdir() if path.suffix in READABLE and path != run.state]
    return [path for path in files if not names or path.stem in names]


def _choices(service: Service) -> list[str]:
    values = []
    for summary in service.runs()[:_LISTED]:
        steps = _steps(RunFolder(summary.path))
        values += [summary.name, *(f"{summary.name}:{step}" for step in steps)] if steps else []
    return values


def _warn_of_prompt(p: Any, cells: Sequence[str], service: Service) -> None:
    names = {service.run_config(service.open_run(_parts(cell)[0]).path).embedding.name for cell in cells}
    text = f"{p.prompt} {p.negative_prompt}".lower()
    for name in names:
        if name.lower() not in text:
            _log.warning("The prompt does not have the word '%s', so the copies of its run make no difference.", name)
