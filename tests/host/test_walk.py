"""The way of a user through the page, in a browser: create, train, interrupt, resume, and a picture in txt2img."""

import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.host.browsing import choose, fill, open_tab, opened_page, sub_tab
from tests.host.launching import Server
from tests.host.stories import new_name
from train_gamma.demo.judge import Judge
from train_gamma.demo.samples import SAMPLE_CHARACTER
from train_gamma.demo.world import random_character


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_create_train_interrupt_resume_and_generate(
    theme: str, server: Server, shoot: Callable[[Any, str], None]
) -> None:
    name = new_name()
    with opened_page(server.url, dark=theme == "dark") as page:
        open_tab(page)
        sub_tab(page, "Create")
        fill(page, "embedding_name", name)
        fill(page, "embedding_init_text", "girl with hat")
        page.wait_for_selector(f"#train_gamma_create_name_check :text(\"'{name}' is a good name\")")
        shoot(page, f"{theme}-1-create")
        fill(page, "embedding_init_text", "girl")
        page.click("#train_gamma_create")
        page.wait_for_selector("#train_gamma_create_train_it", state="visible")
        assert (server.embeddings / f"{name}.safetensors").is_file()
        shoot(page, f"{theme}-2-created")
        page.click("#train_gamma_create_train_it")
        page.click("#train_gamma_sample")
        page.wait_for_timeout(1500)
        choose(page, "preset", "Miniature (demo)")
        page.wait_for_timeout(2500)
        shoot(page, f"{theme}-3-train")
        page.click("#train_gamma_train")
        page.wait_for_selector('#train_gamma_run [data-tg="state"]:text("running")')
        wait_for_step(page, 100)
        shoot(page, f"{theme}-4-running")
        page.click('[data-tg-command="stop"]')
        page.wait_for_selector('#train_gamma_run [data-tg="state"]:text("stopped")')
        shoot(page, f"{theme}-5-stopped")
        resume(page)
        wait_for_step(page, 160)
        shoot(page, f"{theme}-6-resumed")
        page.wait_for_selector('#train_gamma_run [data-tg="state"]:text("finished")', timeout=400_000)
        page.wait_for_timeout(1500)
        shoot(page, f"{theme}-7-finished")
        page.click('[data-tg-command="send"]')
        pictures = generate(page)
        shoot(page, f"{theme}-8-txt2img")
    character = random_character(SAMPLE_CHARACTER)
    assert Judge.load().identity(pictures, character) >= 0.7


def test_trap_13_14_a_page_that_was_just_opened_knows_the_embeddings(server: Server) -> None:
    """The host takes the choices while it builds the page, before there are any."""
    name = new_name()
    with opened_page(server.url) as page:
        server.request("/train-gamma/v1/create", {"config": {"embedding": {"name": name, "init_text": "girl"}}})
        page.reload()
        page.wait_for_selector("#tabs")
        open_tab(page)
        sub_tab(page, "Train")
        page.wait_for_timeout(2000)
        page.locator("#train_gamma_embedding input").first.click()
        assert name in page.locator("#train_gamma_embedding ul").inner_text()


def test_the_way_without_a_mouse(server: Server) -> None:
    """Tab, Enter, arrows and letters: create an embedding, train it and stop the run."""
    name = new_name()
    with opened_page(server.url) as page:
        tab_to(page, "#tabs > .tab-nav button:text('Train Gamma')")
        page.keyboard.press("Enter")
        page.wait_for_timeout(3000)
        tab_to(page, "#train_gamma_tab_create, #train_gamma_tabs > .tab-nav button:text('Create')")
        page.keyboard.press("Enter")
        type_into(page, "embedding_name", name)
        type_into(page, "embedding_init_text", "girl")
        page.wait_for_timeout(1500)
        tab_to(page, "#train_gamma_create")
        page.keyboard.press("Enter")
        page.wait_for_selector("#train_gamma_create_train_it", state="visible")
        tab_to(page, "#train_gamma_create_train_it")
        page.keyboard.press("Enter")
        page.wait_for_selector("#train_gamma_sample", state="visible")
        tab_to(page, "#train_gamma_sample")
        page.keyboard.press("Enter")
        page.wait_for_timeout(3000)
        tab_to(page, "#train_gamma_train")
        page.keyboard.press("Enter")
        page.wait_for_selector('#train_gamma_run [data-tg="state"]:text("running")')
        wait_for_step(page, 3)
        tab_to(page, '[data-tg-command="stop"]')
        page.keyboard.press("Enter")
        page.wait_for_selector('#train_gamma_run [data-tg="state"]:text("stopped")')


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until the focus is on an element, or inside of it."""
    wanted = page.locator(selector).first
    for _ in range(400):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element.contains(document.activeElement)"):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def type_into(page: Any, element: str, text: str) -> None:
    """Go to a field by Tab and type, over what is there."""
    tab_to(page, f"#train_gamma_{element}")
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def wait_for_step(page: Any, step: int) -> None:
    """Wait until the progress panel shows that step, or a later one."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        shown = page.locator('#train_gamma_run [data-tg="step"]').inner_text().split(" of ")[0]
        state = page.locator('#train_gamma_run [data-tg="state"]').inner_text()
        assert state != "failed", page.locator('#train_gamma_run [data-tg="message"]').inner_text()
        if shown.isdigit() and int(shown) >= step:
            return
        page.wait_for_timeout(300)
    raise TimeoutError(f"step {step} did not come")


def resume(page: Any) -> None:
    """Resume the newest run."""
    page.locator("#train_gamma_group_runs .label-wrap").click()
    box = page.locator("#train_gamma_run_name input").first
    box.click()
    page.locator("#train_gamma_run_name ul li").first.click()
    page.wait_for_timeout(1500)
    page.click("#train_gamma_run_resume")
    page.wait_for_selector('#train_gamma_run [data-tg="state"]:text("running")')


def generate(page: Any) -> list[Image.Image]:
    """Make four pictures of what the prompt says, in a scene, with the WebUI's own buttons."""
    prompt = page.locator("#txt2img_prompt textarea")
    prompt.fill(prompt.input_value() + ", night, holding flower, looking at viewer, upper body")
    for slider, value in (("width", 64), ("height", 64), ("cfg_scale", 3), ("steps", 24), ("batch_size", 4)):
        box = page.locator(f"#txt2img_{slider} input[type=number]").first
        box.fill(str(value))
        box.press("Tab")
    page.locator("#txt2img_seed input").first.fill("1")
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery .thumbnail-item img, #txt2img_gallery button.thumbnail-lg img")
    page.wait_for_timeout(1500)
    sources = page.eval_on_selector_all("#txt2img_gallery img", "images => images.map(image => image.src)")
    found = [
        Image.open(io.BytesIO(page.request.get(source).body())).convert("RGB") for source in dict.fromkeys(sources)
    ]
    single = [picture for picture in found if picture.size == (64, 64)]
    assert single, [picture.size for picture in found]
    return single
