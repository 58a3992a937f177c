"""What the assistant suggests to take out of the captions of a dataset, and the words to start from."""

from collections.abc import Sequence
from dataclasses import dataclass

from train_gamma.captions.assistant import Advice, Suggestion, advise
from train_gamma.captions.implications import Implications
from train_gamma.captions.init_text import InitText, propose
from train_gamma.captions.snapshot import Snapshot
from train_gamma.captions.tag_text import normal
from train_gamma.errors import UserError
from train_gamma.service.dataset_requests import PruneRequest
from train_gamma.service.tag_lists import TagLists
from train_gamma.service.token_counts import TokenCounts

MOST_VECTORS = 75


@dataclass(frozen=True, slots=True)
class Pruning:
    """What may be taken out.

    Attributes:
        version: of the captions.
        pictures: that have tags.
        suggestions: of the assistant.
        ticked: all tags that it would take out, relatives too.
        contradictions: sentences.
        subject: the tag for who is in the pictures.
        background: the list that tells how frequent tags are everywhere, "" if there is none.
        init_text: made of what is taken out, None where tokens cannot be counted.
    """

    version: int
    pictures: int
    suggestions: tuple[Suggestion, ...]
    ticked: tuple[str, ...]
    contradictions: tuple[str, ...]
    subject: str
    background: str
    init_text: InitText | None


def prune(captions: Snapshot, request: PruneRequest, lists: TagLists, tokens: TokenCounts) -> Pruning:
    """Ask the assistant.

    Raises:
        UserError: if the number of vectors is none.
    """
    if not 1 <= request.num_vectors <= MOST_VECTORS:
        raise UserError(f"Vectors per token must be from 1 to {MOST_VECTORS}, got {request.num_vectors}.")
    source, background = lists.background(captions.index.keys())
    implied = Implications(lists.implications(), lambda text: text in captions.index or text in background)
    advice = _without(advise(captions, background, implied), request.name)
    chosen: Sequence[str] = advice.ticked if request.tags is None else request.tags
    count = tokens.count
    return Pruning(
        version=captions.version,
        pictures=sum(bool(words.tags) for words in captions.words),
        suggestions=advice.suggestions,
        ticked=tuple(advice.ticked),
        contradictions=advice.contradictions,
        subject=advice.subject,
        background=source,
        init_text=None if count is None else propose(advice.subject, chosen, request.num_vectors, count),
    )


def _without(advice: Advice, name: str) -> Advice:
    """The name of the embedding is no trait; it is in its captions because somebody wants it there."""
    kept = tuple(one for one in advice.suggestions if normal(one.tag) != normal(name))
    return Advice(kept, advice.contradictions, advice.subject)
