"""The one exception that means "the person at the keyboard can fix this"."""

from collections.abc import Sequence


class UserError(Exception):
    """A problem the user can act on.

    The message says what is wrong, with the value, the rule that was broken, and what to do. Anything that is not a
    ``UserError`` is a bug and keeps its traceback.
    """


def raise_all(problems: Sequence[str]) -> None:
    """Raise one ``UserError`` that lists every problem, or do nothing when there is none.

    Args:
        problems: complete sentences, one per problem.

    Raises:
        UserError: if ``problems`` is not empty.
    """
    if len(problems) == 1:
        raise UserError(problems[0])
    if problems:
        raise UserError("\n".join(f"- {problem}" for problem in problems))
