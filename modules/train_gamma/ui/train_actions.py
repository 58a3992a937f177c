"""What the buttons of the Train tab do."""

from functools import partial
from typing import Any

import gradio as gr

from train_gamma.service import Service
from train_gamma.ui import messages
from train_gamma.ui.chosen import PRESENT, find, wanted_run
from train_gamma.ui.compat import LOOK, REFRESH, on
from train_gamma.ui.form import Form
from train_gamma.ui.handlers import guarded
from train_gamma.ui.train_tab import TrainTab

MINIATURE = "miniature"
READ_PROMPT = "(prompts) => [train_gamma.addPrompt(prompts)]"


def wire(tab: TrainTab, form: Form, service: Service) -> None:
    """Attach the handlers that concern this tab alone."""
    asked = [tab.embedding, tab.begin, *form.all()]
    told = [tab.message, tab.report]
    on(tab.check.click, guarded(partial(check, service, form), 2), asked, told)
    begun = on(tab.train.click, guarded(partial(train, service, form), 2), asked, told)
    on(begun.then, None, js=LOOK)
    filled = [tab.message, tab.embedding, *form.all()]
    drawn = on(tab.sample.click, guarded(partial(sample, service, form), len(filled)), [tab.embedding], filled)
    on(drawn.then, None, js=REFRESH)
    on(tab.embedding.input, _begin_safely, [], [tab.begin], live=True)
    prompts = [form.components["preview.prompts"]]
    on(tab.read_prompt.click, None, prompts, prompts, js=READ_PROMPT)
    for controller in form.controllers():
        on(controller.change, form.visibility, form.controllers(), form.dependents(), live=True)


def _begin_safely() -> Any:
    """Another embedding was chosen: its vectors stay unless people say otherwise for this one too."""
    return gr.update(value=PRESENT)


def check(service: Service, form: Form, name: str, begin: str, *values: Any) -> list[Any]:
    """Report everything that would spoil the run."""
    wanted = wanted_run(service, form, name, begin, values)
    return ["", messages.report(service.check(wanted.config, replace=wanted.train_on))]


def train(service: Service, form: Form, name: str, begin: str, *values: Any) -> list[Any]:
    """Check, and begin if nothing is wrong."""
    wanted = wanted_run(service, form, name, begin, values)
    found = service.check(wanted.config, replace=wanted.train_on)
    if any(finding.level == "error" for finding in found):
        return [messages.problem("Not started. What to solve first is in the report."), messages.report(found)]
    service.train(wanted.config, replace=wanted.train_on)
    warnings = [finding for finding in found if finding.level == "warning"]
    return [messages.done("Started. Closing the page does not stop it."), messages.findings(warnings)]


def sample(service: Service, form: Form, name: str) -> list[Any]:
    """Fill in the drawn sample pictures, and settings for the miniature checkpoint where that is what is trained on."""
    settings: dict[str, Any] = {}
    preset = next((known for known in service.presets.names() if MINIATURE in known.lower()), "")
    if preset and (not service.host.lends_loaded_model or MINIATURE in service.host.loaded().title.lower()):
        settings = service.presets.load(preset)
    settings["dataset"] = {**settings.get("dataset", {}), "folder": str(service.sample_dataset())}
    told = "24 drawn pictures of one character."
    if settings.keys() - {"dataset"}:
        told += f" The settings are those of the preset '{preset}'."
    return [
        messages.done(told),
        gr.update() if (name or "").strip() else gr.update(value=_free_name(service)),
        *form.updates(settings),
    ]


def _free_name(service: Service) -> str:
    names = ["tg-sample", *(f"tg{number}-sample" for number in range(2, 100))]
    return next((name for name in names if find(service, name) is None), "")
