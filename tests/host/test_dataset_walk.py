"""The guide's chapter on datasets in the WebUI's page: tag, sort, prune, undo, prune again, look, save, put back."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.host.browsing import open_tab, opened_page
from tests.host.launching import Server
from tests.ui.dataset_stories import PICTURES, Walked, draw_folder, tag_folder, walk, walk_by_keyboard
from train_gamma.captions.tag_text import read_tags

SIZE = (1280, 800)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_folder_of_150_pictures_from_tagging_to_the_backup(
    by: str, theme: str, server: Server, shoot: Callable[[Any, str], None]
) -> None:
    folder = draw_folder(server.data / f"[dataset] {by} {theme}")
    with opened_page(server.url, dark=theme == "dark", size=SIZE) as page:
        open_tab(page)

        def shot(name: str) -> None:
            shoot(page, f"{theme}-dataset-{name}")

        if by == "mouse":
            walked = walk(page, folder, shot)
        else:
            tag_folder(page, folder, PICTURES)
            walked = walk_by_keyboard(page, folder, shot)
        page.wait_for_timeout(1500)  # no answer is under way when the page is closed
    check(walked)


def check(walked: Walked) -> None:
    """The pruned tags are out of the saved captions and nothing else is; the backup has every byte."""
    assert len(walked.tagged) == PICTURES
    assert walked.restored == walked.tagged
    for name, before in walked.tagged.items():
        kept = [tag for tag in read_tags(before.decode()) if tag not in walked.pruned]
        assert read_tags(walked.saved[name].decode()) == kept
