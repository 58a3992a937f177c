"""Nothing that somebody typed or chose in the Dataset tab is lost or used for something else, in a browser."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs gradio: pip install gradio==4.40.0")
pytest.importorskip("uvicorn", reason="the page is served by uvicorn: pip install uvicorn")
pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
pytest.importorskip("onnxruntime", reason="the miniature tagger runs on onnxruntime: pip install onnxruntime")

from tests.ui.browsing import CHROMIUM, Served, fill, page_of
from tests.ui.dataset_page import (
    ROOT,
    button,
    cells,
    dialog,
    find,
    listed,
    load,
    open_edit,
    part,
    row,
    save,
    says,
    text,
    tick,
    waits_for,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"needs Chromium at {CHROMIUM}: apt-get install chromium"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

COUNT = 8
SENTENCE = "A girl stands here. She smiles."


def show(page: Any, number: int) -> None:
    """Show the picture of that number large."""
    cells(page).nth(number - 1).click()
    waits_for(page, "one_place", f"{number} of {COUNT}")


def open_text(page: Any) -> Any:
    """The caption of the picture that is shown, as text."""
    find(page, "one_raw").locator("summary").click()
    return find(page, "one_text")


def by_another(page: Any, path: str, **fields: Any) -> None:
    """Have the server do something that this page did not ask for."""
    told = {"version": None, **fields}
    page.evaluate("([path, body]) => train_gamma_dataset.post(path, body).then(() => null)", [path, told])


def own_tags(page: Any) -> list[str]:
    found: list[str] = find(page, "one_tags").locator("li").evaluate_all("items => items.map(item => item.dataset.key)")
    return found


# -- one picture ------------------------------------------------------------------------------------------------------


def test_tags_are_not_put_into_a_sentence(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    (few_pictures / "001.txt").write_text(SENTENCE, "utf-8")

    def with_seen(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "seen": [{"tag": "boots", "confidence": 0.9}]})

    with page_of(browser, dataset_server) as page:
        page.route("**/pictures/*", with_seen)
        load(page, few_pictures, COUNT)
        show(page, 2)
        assert find(page, "one_seen").locator("button").is_visible()
        assert find(page, "one_add").is_enabled()
        show(page, 1)
        waits_for(page, "one_problem", "This caption is a sentence; change it as text.")
        assert find(page, "one_add").is_disabled()
        assert not find(page, "one_seen").is_visible()
        assert find(page, "one_text").input_value() == SENTENCE


def test_quick_changes_of_one_picture_are_all_made(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        show(page, 1)
        page.evaluate(f"""() => {{
            const away = document.querySelectorAll('{ROOT} [data-ds=one_tags] button');
            away[1].click();
            away[3].click();
        }}""")
        page.wait_for_function(f"() => document.querySelectorAll('{ROOT} [data-ds=one_tags] li').length === 2")
        page.evaluate(f"""() => {{
            const field = document.querySelector('{ROOT} [data-ds=one_add]');
            for (const tag of ['boots', 'gloves']) {{
                field.value = tag;
                field.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Enter', bubbles: true, cancelable: true}}));
            }}
        }}""")
        find(page, "one_tags").get_by_text("gloves").wait_for()
        assert own_tags(page) == ["1girl", "place 1", "boots", "gloves"]
        save(page)
    assert text(few_pictures, 1) == "1girl, place 1, boots, gloves"


def test_what_is_typed_stays_when_the_caption_is_changed_by_another(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        show(page, 1)
        field = open_text(page)
        field.fill("mine, red hair")
        find(page, "folder").focus()
        by_another(page, "edit", action="rename", tag="hat", new="helmet")
        row(page, "helmet").wait_for()  # the page has asked for the state
        assert field.input_value() == "mine, red hair"
        waits_for(page, "one_text_now", "1girl, red hair, place 1, helmet")
        button(page, "one_text_apply").click()
        says(page, "was changed meanwhile")
        assert field.input_value() == "mine, red hair"
        assert own_tags(page)[-1] == "helmet", "the other's caption is not overwritten unseen"
        button(page, "one_text_apply").click()
        says(page, "is changed. Nothing is written yet")
        save(page)
    assert text(few_pictures, 1) == "mine, red hair"
    assert text(few_pictures, 3).endswith("helmet")


def test_what_is_typed_is_taken_over_when_only_other_captions_were_changed(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        show(page, 1)
        open_text(page).fill("mine")
        by_another(page, "edit", action="rename", tag="cap", new="helmet")
        button(page, "one_text_apply").click()
        says(page, "is changed. Nothing is written yet")
        save(page)
    assert (text(few_pictures, 1), text(few_pictures, 2)) == ("mine", "1girl, red hair, place 2, helmet")


def test_turning_over_asks_what_becomes_of_what_is_typed(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        show(page, 1)
        field = open_text(page)
        field.fill("mine")
        button(page, "next").click()
        dialog(page, "Stay")
        assert (field.input_value(), find(page, "one_place").inner_text()) == ("mine", "1 of 8")
        button(page, "next").click()
        dialog(page, "Apply")
        waits_for(page, "one_place", "2 of 8")
        field.fill("not mine")
        cells(page).nth(2).click()
        dialog(page, "Throw away")
        waits_for(page, "one_place", "3 of 8")
        assert field.input_value() == "1girl, red hair, place 3, hat"
        save(page)
    assert (text(few_pictures, 1), text(few_pictures, 2)) == ("mine", "1girl, red hair, place 2, cap")


# -- other datasets, other pictures -----------------------------------------------------------------------------------


def test_a_late_answer_does_not_bring_back_another_folder(
    browser: Any, dataset_server: Served, few_pictures: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (40, 30)).save(other / "1.png")
    (other / "1.txt").write_text("a lone tag", "utf-8")
    held: list[Any] = []
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "hat")
        button(page, "remove_tags").click()
        says(page, "Removed hat")
        page.route("**/save", lambda route: held.append(route))  # noqa: PLW0108 - a handler must take attributes
        button(page, "save").click()
        load(page, other, 1)
        held[0].continue_()
        says(page, "What you asked for in [a] set is done. Another folder is loaded now.")
        page.wait_for_timeout(500)
        assert list(listed(page)) == ["a lone tag"]
        assert find(page, "summary").inner_text() == "1 picture, all saved"
    assert text(few_pictures, 1) == "1girl, red hair, place 1"


def test_other_pictures_of_the_same_number_are_not_what_was_selected(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        cells(page).nth(4).locator(".tg-ds-box").click()
        waits_for(page, "selected", "1 selected")
        show(page, 3)
        open_text(page).fill("typed for the third")
        for kind in ("png", "txt"):
            (few_pictures / f"001.{kind}").rename(few_pictures / f"009.{kind}")
        by_another(page, "reload")
        waits_for(page, "selected", "None is selected.")
        assert cells(page).count() == COUNT
        assert find(page, "no_picture").is_visible()
        waits_for(page, "one_kept_told", "003.png")
        assert find(page, "one_kept").input_value() == "typed for the third"


def test_a_lower_version_of_a_server_that_was_started_anew_is_taken(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    def lower(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "version": -5})

    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        known = page.evaluate("() => train_gamma_dataset.now.id")
        page.route(f"**/datasets/{known}", lower)
        page.wait_for_function("() => train_gamma_dataset.now.version === -5")


# -- what is asked of the server --------------------------------------------------------------------------------------


def test_a_dataset_is_examined_for_what_the_other_tabs_are_set_to(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    with page_of(browser, dataset_server) as page:
        fill(page, "embedding_name", "tg-safe")
        fill(page, "embedding_num_vectors", "3")
        page.evaluate("""() => {
            document.querySelector('#train_gamma_dataset_width input').value = '384';
            document.querySelector('#train_gamma_dataset_height input').value = '';
            document.querySelector('#train_gamma_dataset_flip input').checked = true;
        }""")
        load(page, few_pictures, COUNT)
        part(page, "check").click()
        with page.expect_request("**/examine") as sent:
            button(page, "examine").click()
        asked = json.loads(sent.value.post_data)
        assert (asked["name"], asked["num_vectors"]) == ("tg-safe", 3)
        dataset = asked["config"]["dataset"]
        assert (dataset["width"], dataset["flip"], "height" in dataset) == (384, True, False)
        assert dataset["templates"] == ["[name], [filewords]"]
        page.wait_for_function(f"() => !document.querySelector('{ROOT} [data-ds-do=examine]').disabled")
        page.evaluate("() => document.querySelector('#train_gamma_dataset_height input').value = '320'")
        button(page, "examine").click()
        waits_for(page, "examine_told", "Judged for training at 384 x 320, as the Train tab is set.")
        waits_for(page, "check_told", "/Found:|Nothing is wrong/")


def test_whole_captions_are_searched_with_the_rules_as_they_are(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    (few_pictures / "001.txt").write_text(SENTENCE, "utf-8")
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        open_edit(page, "replace")
        assert not find(page, "replace_plain").is_visible()
        find(page, "replace_whole").check()
        button(page, "rule_more").click()
        inputs = page.locator(f'{ROOT} [data-ds="rules"] input')
        inputs.nth(0).fill("girl")
        inputs.nth(1).fill("woman")
        inputs.nth(2).fill("hat")
        find(page, "replace_whole").focus()  # what fits closes
        waits_for(page, "replace_told", "Give one.")
        assert button(page, "replace_apply").is_disabled()
        page.locator(f'{ROOT} [data-ds="rules"] .tg-ds-away').nth(1).click()
        page.locator(f'{ROOT} [data-ds="rules"] select').select_option("substring")
        waits_for(page, "replace_told", "7 files will change")
        find(page, "replace_plain").check()
        waits_for(page, "replace_told", "8 files will change")
        button(page, "replace_apply").click()
        says(page, "8 files changed")
        save(page)
    assert text(few_pictures, 1) == "A woman stands here. She smiles."


def test_a_metadata_file_is_replaced_only_when_that_was_chosen(
    browser: Any, dataset_server: Served, few_pictures: Path, tmp_path: Path
) -> None:
    path = tmp_path / "meta.json"
    path.write_text("{}", "utf-8")
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        part(page, "saved").click()
        page.locator(f"{ROOT} summary", has_text="Metadata of kohya").click()
        find(page, "kohya_path").fill(str(tmp_path / "meta.text"))
        button(page, "kohya_export").click()
        says(page, "must end in .json")
        assert page.locator(f"{ROOT} dialog").count() == 0
        find(page, "kohya_path").fill(str(path))
        find(page, "kohya_export_part").select_option("tags")
        find(page, "kohya_full_path").check()
        button(page, "kohya_export").click()
        dialog(page, "Replace it")
        waits_for(page, "kohya_told", "8 pictures written")
    found = json.loads(path.read_text("utf-8"))
    assert sorted(found) == [str(few_pictures / f"{number:03}.png") for number in range(1, 9)]
    assert {tuple(one) for one in found.values()} == {("tags",)}


def test_what_is_left_of_a_finding_can_be_fixed_too(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    for number in (2, 5):
        with Image.open(few_pictures / f"{number:03}.png") as image:
            clear = image.convert("RGBA")
        clear.putpixel((0, 0), (0, 0, 0, 0))
        clear.save(few_pictures / f"{number:03}.png")
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        part(page, "check").click()
        button(page, "examine").click()
        finding = page.locator(f'{ROOT} [data-ds="findings"] li', has=page.locator("button", has_text="Put on white"))
        finding.wait_for()
        assert finding.locator(".tg-ds-picture").count() == 2
        finding.locator("button", has_text="Move out of the dataset ...").click()
        page.locator(f"{ROOT} dialog input").first.check()
        page.locator(f"{ROOT} dialog button", has_text="Go on").click()
        dialog(page, "Move out of the dataset")
        says(page, "Move out of the dataset: ")
        waits_for(page, "summary", "7 pictures")
        assert finding.locator(".tg-ds-picture").count() == 1
        finding.locator("button", has_text="Put on white").click()
        dialog(page, "Put on white")
        says(page, "Put on white: 1 file changed.")
        assert page.locator(f"{ROOT} .tg-message.tg-warning").filter(visible=True).count() == 0
        for count in (7, 8):
            page.wait_for_function(f"() => !document.querySelector('{ROOT} [data-ds-do=undo_fix]').disabled")
            button(page, "undo_fix").click()
            waits_for(page, "message", "as they were")
            waits_for(page, "summary", f"{count} pictures")
        finding.locator(".tg-ds-picture").nth(1).wait_for()
        finding.locator("button", has_text="Put on white").click()
        dialog(page, "Put on white")
        page.wait_for_selector(f"{ROOT} [data-ds=findings] em >> text=Fixed.")
        assert finding.count() == 0
        button(page, "undo_fix").click()
        finding.wait_for()
        assert finding.locator(".tg-ds-picture").count() == 2
    with Image.open(few_pictures / "005.png") as image:
        assert image.mode == "RGBA"


# -- while typing -----------------------------------------------------------------------------------------------------


def test_a_regular_expression_is_asked_for_when_it_is_whole(
    browser: Any, dataset_server: Served, few_pictures: Path
) -> None:
    asked: list[Any] = []
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        page.on(
            "request", lambda one: asked.append(one.post_data_json) if one.url.endswith(("/tags", "/edit")) else None
        )
        find(page, "tag_mode").select_option("regex")
        find(page, "tag_search").press_sequentially("place [12]", delay=60)
        page.wait_for_timeout(400)
        assert {one["search"] for one in asked} <= {""}
        page.keyboard.press("Enter")
        waits_for(page, "tag_total", "2")
        open_edit(page, "replace")
        page.locator(f'{ROOT} [data-ds="rules"] select').select_option("regex")
        asked.clear()
        page.locator(f'{ROOT} [data-ds="rules"] input').first.press_sequentially("place (1|2)", delay=60)
        page.wait_for_timeout(500)
        assert [one for one in asked if one.get("action") == "replace"] == []
        page.keyboard.press("Enter")
        waits_for(page, "replace_told", "2 files will change")


def test_a_range_counts_only_pictures_that_change(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        tick(page, "hat")
        button(page, "yes_no").click()
        cells(page).nth(0).click()
        cells(page).nth(5).click(modifiers=["Shift"])
        waits_for(page, "yes_no_told", "3 pictures will change")
        button(page, "yes_no_apply").click()
        says(page, "3 files changed")


def test_the_last_tag_that_is_shown_is_told(browser: Any, dataset_server: Served, few_pictures: Path) -> None:
    def many(route: Any) -> None:
        answer = route.fetch()
        found = answer.json()
        line = found["rows"][0]
        found["rows"] = [{**line, "tag": f"tag {number}", "key": f"tag {number}"} for number in range(5_000)]
        route.fulfill(response=answer, json={**found, "total": 5_001})

    with page_of(browser, dataset_server) as page:
        load(page, few_pictures, COUNT)
        assert not find(page, "most_tags").is_visible()
        page.route("**/tags", many)
        find(page, "tag_sort").select_option("name")
        find(page, "most_tags").wait_for(state="visible")
        assert find(page, "most_tags").inner_text() == "The first 5,000 are shown; search for the others."
        assert not button(page, "more_tags").is_visible()
