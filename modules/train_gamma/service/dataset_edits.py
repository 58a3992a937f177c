"""From what a page asks for to a change of captions: the table of actions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from train_gamma.captions import cleaning, edits
from train_gamma.captions.change_set import ChangeSet
from train_gamma.captions.filters import CountTokens
from train_gamma.captions.replacing import Match, Rule, matches, replace, replace_text
from train_gamma.captions.rules import RuleSets
from train_gamma.captions.snapshot import Selection, Snapshot
from train_gamma.errors import UserError
from train_gamma.service.dataset_requests import EditRequest, RuleRequest
from train_gamma.service.dataset_selection import check_indices

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Tools:
    """What edits work with beside the captions: what counts tokens, if anything does, and the saved rules."""

    count_tokens: CountTokens | None
    rules: RuleSets


@dataclass(frozen=True, slots=True)
class Planned:
    """An edit that is not made yet.

    Attributes:
        change: of the captions.
        label: for undo.
        matches: of rules, what becomes of which tags.
    """

    change: ChangeSet
    label: str
    matches: tuple[Match, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    captions: Snapshot
    request: EditRequest
    selection: Selection
    tools: Tools

    @property
    def picture(self) -> int:
        """The one picture that the action is about."""
        picture = self.request.picture
        if picture is None:
            raise UserError(f"'{self.request.action}' is about one picture: give its index as picture.")
        check_indices([picture], len(self.captions))
        return picture

    @property
    def count(self) -> int:
        """The number that the action needs."""
        if self.request.count is None:
            raise UserError(f"'{self.request.action}' needs a number as count.")
        return self.request.count


def plan_edit(captions: Snapshot, request: EditRequest, selection: Selection, tools: Tools) -> Planned:
    """What an edit would change.

    Args:
        captions: of the dataset.
        request: the action and its fields.
        selection: the pictures meant.
        tools: what it works with.

    Raises:
        UserError: if there is no such action, or a field of it cannot be used.
    """
    action = _ACTIONS.get(request.action)
    if action is None:
        raise UserError(f"There is no edit '{request.action}'. There are: {', '.join(_ACTIONS)}.")
    return action(_Asked(captions, request, selection, tools))


def rules_of(requests: list[RuleRequest]) -> list[Rule]:
    """Rules as they are asked for; those that cannot be used are told by whoever uses them."""
    return [Rule(one.search, one.replacement, cast(Any, one.kind)) for one in requests]


def _remove(asked: _Asked) -> Planned:
    tags = _given(asked.request.tags, "remove")
    return Planned(edits.remove(asked.captions, tags, asked.selection), f"Remove {_named(tags)}")


def _add(asked: _Asked) -> Planned:
    request = asked.request
    change = edits.add(asked.captions, request.tags, _position(request.position), request.beside, asked.selection)
    return Planned(change, f"Add {_named(request.tags)}")


def _replace(asked: _Asked) -> Planned:
    return _by_rules(asked, rules_of(asked.request.rules), "Replace")


def _apply_rules(asked: _Asked) -> Planned:
    rules = asked.tools.rules.load(asked.request.name)
    return _by_rules(asked, list(rules.rules), f"Apply the rules '{rules.name}':")


def _by_rules(asked: _Asked, rules: list[Rule], verb: str) -> Planned:
    change = replace(asked.captions, rules, asked.selection)
    found = tuple(matches(asked.captions, rules, asked.selection)) if asked.request.preview else ()
    return Planned(change, f"{verb} {_named([rule.search for rule in rules])}", found)


def _replace_text(asked: _Asked) -> Planned:
    rules = rules_of(asked.request.rules)
    if len(rules) != 1:
        raise UserError(f"Whole captions are searched for one text at a time, got {len(rules)} rules. Give one.")
    change = replace_text(asked.captions, rules[0], asked.request.plain, asked.selection)
    return Planned(change, f"Replace '{rules[0].search}' in captions")


def _rename(asked: _Asked) -> Planned:
    old, new = asked.request.tag, asked.request.new
    return Planned(edits.rename(asked.captions, old, new, asked.selection), f"Rename '{old}' to '{new}'")


def _move_to_front(asked: _Asked) -> Planned:
    tags = _given(asked.request.tags, "move")
    return Planned(edits.move_to_front(asked.captions, tags, asked.selection), f"Move {_named(tags)} to the front")


def _sort(asked: _Asked) -> Planned:
    request = asked.request
    order: edits.Order = cast(edits.Order, request.order)  # whether it is one is checked there
    change = edits.sort(asked.captions, order, request.keep, request.backwards, asked.selection)
    return Planned(change, f"Sort tags: {request.order}")


def _keep_first(asked: _Asked) -> Planned:
    return Planned(edits.keep_first(asked.captions, asked.count, asked.selection), f"Keep the first {asked.count} tags")


def _unique(asked: _Asked) -> Planned:
    return Planned(edits.unique(asked.captions, asked.selection), "Remove duplicates")


def _truncate(asked: _Asked) -> Planned:
    count = asked.tools.count_tokens
    if count is None:
        raise UserError("Tokens cannot be counted: there is no tokenizer. Keep a number of tags instead.")
    return Planned(
        edits.truncate(asked.captions, asked.count, count, asked.selection), f"Truncate to {asked.count} tokens"
    )


def _set(asked: _Asked) -> Planned:
    return Planned(edits.set_tags(asked.captions, asked.picture, asked.request.tags), "Edit the tags of one picture")


def _text(asked: _Asked) -> Planned:
    return Planned(edits.set_text(asked.captions, asked.picture, asked.request.text), "Edit the caption of one picture")


def _copy(asked: _Asked) -> Planned:
    to = asked.captions.chosen(asked.selection)
    change = edits.copy_tags(asked.captions, asked.picture, to, cast(edits.CopyMode, asked.request.mode))
    return Planned(change, "Copy tags")


def _clean(asked: _Asked) -> Planned:
    actions = _given(asked.request.actions, "clean")
    return Planned(cleaning.clean(asked.captions, actions, asked.selection), f"Clean: {', '.join(actions)}")


def _mark(asked: _Asked) -> Planned:
    request = asked.request
    check_indices([*request.having, *request.lacking], len(asked.captions))
    change = edits.mark(asked.captions, request.tag, request.having, request.lacking)
    return Planned(change, f"Correct '{request.tag}'")


_ACTIONS: Mapping[str, Callable[[_Asked], Planned]] = {
    "remove": _remove,
    "add": _add,
    "replace": _replace,
    "replace_text": _replace_text,
    "apply_rules": _apply_rules,
    "rename": _rename,
    "move_to_front": _move_to_front,
    "sort": _sort,
    "keep_first": _keep_first,
    "unique": _unique,
    "truncate": _truncate,
    "set": _set,
    "text": _text,
    "copy": _copy,
    "clean": _clean,
    "mark": _mark,
}


def _position(position: Any) -> edits.Place | int:
    """A place by its name, or a number, be it as text."""
    if isinstance(position, bool) or not isinstance(position, (int, str)):
        raise UserError(f"Position must be front, back, before, after or a whole number, got {position!r}.")
    try:
        return int(position)
    except ValueError:
        return cast(edits.Place, position)  # whether it is one is checked there


def _given(names: list[str], verb: str) -> list[str]:
    found = [name for name in names if name.strip()]
    if not found:
        raise UserError(f"There is nothing to {verb}. Choose one or more.")
    return found


def _named(names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names[:_NAMED])
    return listed + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
