"""Sets of rules for replacing tags, kept under a name: what one does with every dataset."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from train_gamma import atomic
from train_gamma.captions.replacing import Rule, problems
from train_gamma.errors import UserError, raise_all

VERSION = 1
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that belong together.

    Attributes:
        name: under which they are kept.
        rules: the first that fits a tag counts.
        note: what they are for.
    """

    name: str
    rules: tuple[Rule, ...]
    note: str = ""


BUILT_IN = {
    "NSFW": RuleSet(
        "NSFW",
        (
            Rule(
                "nude, completely nude, nipples, areolae, pussy, pussy juice, anus, penis, testicles, cum, sex, "
                "vaginal, anal, oral, fellatio, masturbation",
                "nsfw",
            ),
        ),
        "One word for whatever says outright that the subject is naked, so that the embedding does not take it in as a "
        "part of the subject. Milder tags such as topless stay, so that there is something to go by.",
    )
}


class RuleSets:
    """Rule sets in a folder, beside the built-in ones. Every method may be called from any thread.

    ``folder`` tells the folder as it is now, since a host's settings can change it.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """The built-in sets, then the saved ones by name."""
        folder = self._folder()
        found = folder.glob("*.json") if folder.is_dir() else ()
        saved = [path.stem for path in found if not path.name.startswith(".") and path.stem not in BUILT_IN]
        return [*BUILT_IN, *sorted(saved, key=str.lower)]

    def load(self, name: str) -> RuleSet:
        """The rules of a set.

        Raises:
            UserError: if there is none of that name, or its file is damaged.
        """
        if name in BUILT_IN:
            return BUILT_IN[name]
        with self._lock:
            return _read(self._path(name), name)

    def save(self, rules: RuleSet) -> None:
        """Keep a set under its name; an older one of that name is replaced.

        Raises:
            UserError: if its name or a rule is not right, it is built in, or the file cannot be written.
        """
        raise_all(problems(rules.rules) if rules.rules else ["A set of rules needs one rule or more. Add one."])
        path = self._path(rules.name)
        content = {"version": VERSION, "note": rules.note, "rules": [asdict(rule) for rule in rules.rules]}
        try:
            with self._lock:
                atomic.write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        except (OSError, UnicodeEncodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UserError(
                f"Rule set '{rules.name}' cannot be written to '{path}': {reason}. "
                "Free space or fix the folder's rights."
            ) from error

    def delete(self, name: str) -> None:
        """Delete a saved set.

        Raises:
            UserError: if there is none of that name, or it is built in.
        """
        path = self._path(name)
        with self._lock:
            if not path.is_file():
                raise UserError(_unknown(name))
            path.unlink()

    def _path(self, name: str) -> Path:
        if name.lower() in {built_in.lower() for built_in in BUILT_IN}:
            raise UserError(f"'{name}' is built in and stays as it is. Choose another name.")
        allowed = all(letter.isalnum() or letter in " -_+.()" for letter in name)
        if not (name.strip(" .") == name and name and allowed and len(name) <= LONGEST_NAME):
            raise UserError(
                f"'{name}' cannot be the name of a rule set. It may have letters, digits, blanks and - _ + . ( ), "
                f"begins and ends with none of blank and dot, and is at most {LONGEST_NAME} long. Choose another name."
            )
        return self._folder() / f"{name}.json"


def _read(path: Path, name: str) -> RuleSet:
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(_unknown(name)) from None
    except (OSError, ValueError) as error:
        raise UserError(_damaged(path, name, str(error))) from error
    try:
        rules = tuple(_rule(rule) for rule in content["rules"])
        found = RuleSet(name, rules, str(content.get("note", "")))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(_damaged(path, name, f"it holds no rules, {error!r}")) from error
    wrong = problems(found.rules)
    if wrong:
        raise UserError(_damaged(path, name, wrong[0]))
    return found


def _rule(content: Mapping[str, Any]) -> Rule:
    search, replacement, kind = content["search"], content.get("replacement", ""), content.get("kind", "exact")
    if not (isinstance(search, str) and isinstance(replacement, str)):
        raise TypeError("search and replacement are texts")
    return Rule(search, replacement, kind)


def _unknown(name: str) -> str:
    return f"There is no rule set '{name}'. Choose one of the list."


def _damaged(path: Path, name: str, reason: str) -> str:
    return f"Rule set '{name}' cannot be read: {reason}. Correct or delete the file '{path}', or save the set again."
