"""Going on with an earlier run, or beginning a new one from its settings or from one of its copies."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from train_gamma.errors import UserError
from train_gamma.service import RunSummary, Service
from train_gamma.ui import messages
from train_gamma.ui.chosen import FRESH, beginning_of, find
from train_gamma.ui.compat import LOOK, REFRESH, on, settled
from train_gamma.ui.form import Form
from train_gamma.ui.handlers import guarded
from train_gamma.ui.ids import element_id


@dataclass(frozen=True, slots=True)
class RunsPart:
    """The components."""

    run: Any
    copy: Any
    told: Any
    steps: Any
    resume: Any
    settings: Any
    start_from: Any
    message: Any


def build() -> RunsPart:
    """Lay the accordion out."""
    with gr.Accordion("Earlier runs", open=False, elem_id=element_id("group_runs")):
        with gr.Row():
            run = gr.Dropdown(
                label="Run",
                info="The newest first.",
                choices=[],
                value="",
                allow_custom_value=True,
                elem_id=element_id("run_name"),
            )
            copy = gr.Dropdown(
                label="Copy",
                info="The embedding as it was on the way.",
                choices=[],
                value="",
                allow_custom_value=True,
                elem_id=element_id("run_copy"),
            )
            steps = gr.Number(
                label="Steps in all, resumed",
                info="Where the resumed run ends.",
                value=0,
                elem_id=element_id("run_steps"),
            )
        told = gr.HTML(elem_id=element_id("run_told"))
        with gr.Row():
            resume = gr.Button("Resume", size="sm", elem_id=element_id("run_resume"))
            settings = gr.Button("Load settings of this run", size="sm", elem_id=element_id("run_settings"))
            start_from = gr.Button("Start from this copy", size="sm", elem_id=element_id("run_start_from"))
        message = gr.HTML(elem_id=element_id("run_message"))
    return RunsPart(run, copy, told, steps, resume, settings, start_from, message)


def wire(part: RunsPart, embedding: Any, begin: Any, form: Form, service: Service) -> None:
    """Attach the handlers; ``embedding`` and ``begin`` are the choices on the first screen."""
    shown = [part.message, part.told, part.copy, part.steps]
    handler = guarded(partial(show, service), len(shown))
    on(part.run.change, handler, [part.run], shown, js=settled("run"), live=True)
    begun = on(part.resume.click, guarded(partial(resume, service), 1), [part.run, part.steps], [part.message])
    on(begun.then, None, js=LOOK)
    filled = [part.message, embedding, begin, *form.all()]
    handler = guarded(partial(load_settings, service, form), len(filled))
    on(on(part.settings.click, handler, [part.run], filled).then, None, js=REFRESH)
    handler = guarded(partial(start_from_copy, service, form), len(filled))
    on(on(part.start_from.click, handler, [part.run, part.copy], filled).then, None, js=REFRESH)


def show(service: Service, name: str) -> list[Any]:
    """What there is to say of the chosen run, and its copies."""
    if not name:
        return ["", "", gr.update(choices=[], value=""), gr.update()]
    run = _run(service, name)
    state = "finished" if run.finished else "can be resumed" if run.resumable else "cannot be resumed"
    line = run.problem or f"'{run.embedding}', begun {run.started}, step {run.step} of {run.total_steps}, {state}."
    copies = [path.name for path in reversed(run.copies)]
    copy = gr.update(choices=copies, value=copies[0] if copies else "")
    return ["", messages.quiet(line), copy, gr.update(value=run.total_steps)]


def resume(service: Service, name: str, steps: Any) -> list[Any]:
    """Go on with the chosen run."""
    run = _run(service, name)
    changes = {"training": {"max_steps": int(steps)}} if steps and int(steps) != run.total_steps else None
    service.resume(run.path, changes)
    return [messages.done(f"Resumed '{run.embedding}' at step {run.step}. Progress is shown beside.")]


def load_settings(service: Service, form: Form, name: str) -> list[Any]:
    """Put the settings of the chosen run back into the form."""
    run = _run(service, name)
    config = service.run_config(run.path)
    begin = beginning_of(config.embedding, find(service, config.embedding.name))
    message = messages.done(f"The settings of '{run.name}' are in the form.")
    return [message, config.embedding.name, begin, *form.updates(config.to_dict())]


def start_from_copy(service: Service, form: Form, name: str, copy: str) -> list[Any]:
    """Set the form up for a new run that starts where a copy of the chosen run stands."""
    run = _run(service, name)
    path = next((path for path in run.copies if path.name == copy), None)
    if path is None:
        raise UserError(f"Copy is '{copy or ''}', which the run does not have. Choose one of the list.")
    return [
        messages.done(
            f"A new run will start from '{path.name}', with the settings of its run. Change them as you like."
        ),
        gr.update(),
        FRESH,
        *form.updates(_starting_from(service.run_config(run.path).to_dict(), path)),
    ]


def _starting_from(nested: dict[str, Any], copy: Path) -> dict[str, Any]:
    return {**nested, "embedding": {**nested["embedding"], "start": "embedding", "init_embedding": str(copy)}}


def _run(service: Service, name: str) -> RunSummary:
    found = next((run for run in service.runs() if run.name == (name or "").strip()), None)
    if found is None:
        raise UserError(f"Run is '{name or ''}', which is not one of the list. Choose a run first.")
    return found
