"""The Dataset tab's edits of many captions at once."""

from html import escape

from train_gamma.captions.cleaning import ACTIONS
from train_gamma.ui.dataset_lists import SCOPES
from train_gamma.ui.dataset_markup import button, choice, entry, folded, hint, row, tick, told

POSITIONS = {
    "front": "at the front",
    "back": "at the back",
    "number": "behind so many tags",
    "before": "before the tag",
    "after": "after the tag",
}
ORDERS = {
    "frequency": "the most frequent first",
    "alphabetical": "alphabetical",
    "length": "the shortest first",
    "reverse": "turned round",
}


def edit_part() -> str:
    """Each edit says how many files it will change, and can show which; a button makes it."""
    return "".join(
        (
            hint("What you change here can be undone, and is written when you save."),
            choice("edit_scope", "Change the captions of", SCOPES),
            folded("Add tags", _add(), name="edit_add", is_open=True),
            folded("Replace tags", _replace(), name="edit_replace"),
            folded("Sort tags", _sort(), name="edit_sort"),
            folded("Shorten captions", _shorten(), name="edit_shorten"),
            folded("Clean captions", _clean(), name="edit_clean"),
        )
    )


def _apply(name: str, text: str) -> str:
    shown = button("What changes", f"{name}_show", disabled=True)
    return told(f"{name}_told") + row(button(text, f"{name}_apply", primary=True, disabled=True), shown)


def _add() -> str:
    return (
        entry("add_tags", "Tags, with commas between them", data_complete=True)
        + row(
            choice("add_position", "Where", POSITIONS),
            entry("add_number", "Tags in front", "number", value="1", class_="tg-ds-short"),
            entry("add_beside", "Which tag", data_complete="one"),
        )
        + _apply("add", "Add")
    )


def _replace() -> str:
    return (
        hint("Several tags with commas between them become one; an empty replacement takes them out.")
        + '<div data-ds="rules" role="group" aria-label="Rules"></div>'
        + row(button("Another rule", "rule_more"))
        + tick("replace_whole", "Search in the whole caption as text")
        + tick("replace_plain", "In sentences too")
        + '<ul data-ds="matches" class="tg-ds-matches" aria-label="What the rules match" tabindex="0"></ul>'
        + _apply("replace", "Replace")
        + folded(
            "Rule sets",
            row(choice("rule_set", "Saved rules", {"": "choose"}), button("Use", "rules_use")),
            row(
                entry("rule_name", "Keep these rules as"),
                button("Keep", "rules_keep"),
                button("Delete", "rules_delete"),
            ),
            told("rules_told"),
        )
    )


def _sort() -> str:
    return row(
        choice("sort_order", "Order", ORDERS),
        entry("sort_keep", "Leave the first", "number", min="0", value="0", class_="tg-ds-short"),
    ) + _apply("sort", "Sort")


def _shorten() -> str:
    return (
        row(
            entry("keep_count", "Keep the first tags", "number", min="0", value="20", class_="tg-ds-short"),
        )
        + _apply("keep", "Cut the rest off")
        + row(entry("truncate_tokens", "Most tokens", "number", min="0", value="75", class_="tg-ds-short"))
        + _apply("truncate", "Cut to so many tokens")
        + '<p class="tg-ds-label">Equal tags in a caption</p>'
        + _apply("unique", "Leave one of each")
    )


def _clean() -> str:
    boxes = "".join(
        f'<label class="tg-ds-tick"><input type="checkbox" data-ds-clean="{escape(action.name)}">'
        f"<span>{escape(action.help)}</span></label>"
        for action in ACTIONS
    )
    return f'<div role="group" class="tg-ds-ticks" aria-label="What is cleaned">{boxes}</div>' + _apply(
        "clean", "Clean"
    )
