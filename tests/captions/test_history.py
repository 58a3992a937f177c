"""Steps that are undone and redone: against a list of states."""

from hypothesis import given, settings
from hypothesis import strategies as st

from train_gamma.captions.history import History, Step
from train_gamma.captions.words import read_words


def step(number):
    return Step(str(number), {0: read_words(str(number - 1))}, {0: read_words(str(number))})


@settings(deadline=None, max_examples=80)
@given(st.lists(st.sampled_from(["push", "undo", "redo"]), max_size=30), st.integers(1, 5))
def test_it_is_a_list_with_a_place_in_it(actions, limit):
    history, labels, at, number = History(limit), [], 0, 0
    for action in actions:
        if action == "push":
            number += 1
            history.push(step(number))
            labels = [*labels[:at], str(number)][-limit:]
            at = len(labels)
        elif action == "undo":
            found = history.undo()
            assert (found.label if found else None) == (labels[at - 1] if at else None)
            at = max(0, at - 1)
        else:
            found = history.redo()
            assert (found.label if found else None) == (labels[at] if at < len(labels) else None)
            at = min(len(labels), at + 1)
        assert history.undo_label == (labels[at - 1] if at else None)
        assert history.redo_label == (labels[at] if at < len(labels) else None)
