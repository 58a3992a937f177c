"""What the Tagger tab says, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from train_gamma.service.tag_views import Live, Single, TagPlan
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, Entry
from train_gamma.ui import messages, tag_bars

THUMBNAIL_PIXELS = 320
WHAT = {GENERAL: "general tags", CHARACTER: "characters"}
LOOK_FIRST = (
    "The tagger has not looked at it yet. Press Tag; with 'preview only' above, nothing is written. After that, "
    "thresholds and words can be changed without another look."
)


def tagger(entry: Entry | None, name: str) -> str:
    """A line on the chosen tagger: what it is, what it recommends, and why it cannot be used, if so."""
    if entry is None:
        return "" if name else messages.quiet("No tagger is chosen: only a sentence would be written.")
    if entry.problem:
        return messages.problem(f"{entry.title} cannot be used. {entry.problem}")
    where = "It is on this machine." if entry.ready else _download(entry)
    return messages.quiet(" ".join(filter(None, (f"{entry.title}.", _recommends(entry.thresholds), where))))


def taggers(entries: Sequence[Entry]) -> str:
    """Every tagger and captioner there is, with where it comes from."""
    rows = [
        f"<li><strong>{escape(entry.name)}</strong> <span>{escape(entry.title)}</span> "
        f'<span class="tg-quiet">{escape(_state(entry))}</span></li>'
        for entry in entries
    ]
    return f'<ul class="tg-listed">{"".join(rows)}</ul>' if rows else messages.quiet("There are none.")


def plan(found: TagPlan) -> str:
    """What a run would do, in numbers."""
    if found.problem:
        return messages.quiet(found.problem)
    counts = ", ".join(f"{count:,} {action}" for action, count in found.actions.items())
    line = f"{pictures(found.num_pictures)}: {counts}" if counts else pictures(found.num_pictures)
    known = f"{found.num_known:,} of {found.num_needed:,} known from the cache"
    line += f"; {known}." if found.num_needed else "."
    notes = "".join(messages.note(note) for note in found.notes)
    return f'<p class="tg-plan">{escape(line)}</p>{notes}'


def loaded(name: str) -> str:
    """What is in memory."""
    return messages.quiet(f"In memory: {name}." if name else "No tagger is in memory.")


def live_picture(found: Live, token: str) -> str:
    """One picture of the folder, and what would be written for it."""
    if found.path is None:
        return messages.quiet(found.problem or "There is no picture to show.")
    parts = [_figure(found, found.path, token)]
    if found.known:
        told = [("Tags as a caption", found.caption or "(no tags)"), ("Caption file now", _file(found.existing))]
        if found.sentence:
            told.insert(0, ("Sentence", found.sentence))
        if found.outcome not in (found.caption, found.existing):
            told.append(("Caption file after Tag", _file(found.outcome)))
        elif found.outcome == found.existing:
            told.append(("Caption file after Tag", "as it is now"))
        parts += [texts(told), tag_bars.ranked(found.tags)]
    else:
        parts += [texts([("Caption file now", _file(found.existing))]), messages.quiet(LOOK_FIRST)]
    return "".join(parts)


def live_counts(found: Live, before: Live | None) -> str:
    """The tags of the whole folder at these settings; ``before`` is what recommended thresholds give, to compare."""
    if not found.num_known:
        return messages.quiet("Counted when the tagger has looked at the folder.")
    some = "" if found.num_known == found.num_pictures else f" of {found.num_pictures:,}"
    line = (
        f"{found.num_known:,}{some} pictures, {len(found.counts):,} different tags, {found.mean_tags:.1f} per picture."
    )
    if before is None:
        return messages.quiet(line) + tag_bars.counted(found.counts, found.num_known)
    line += f" With the recommended thresholds: {len(before.counts):,}, {before.mean_tags:.1f} per picture."
    counts = {count.tag: count.count for count in before.counts}
    return messages.quiet(line) + tag_bars.counted(found.counts, found.num_known, counts)


def single(found: Single) -> str:
    """What was seen in a picture that is in no folder."""
    told = [("Tags as a caption", found.caption or "(no tags)")]
    if found.rating:
        told.insert(0, ("Rating", found.rating))
    if found.sentence:
        told.insert(0, ("Sentence", found.sentence))
    took = messages.quiet(f"{found.seconds:.2f} s on {found.device}.")
    return texts(told) + tag_bars.ranked(found.tags) + took


def texts(told: Sequence[tuple[str, str]]) -> str:
    """Names and texts below them."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in told)
    return f'<dl class="tg-texts">{rows}</dl>'


def pictures(count: int) -> str:
    """So many pictures."""
    return "1 picture" if count == 1 else f"{count:,} pictures"


def _figure(found: Live, path: Path, token: str) -> str:
    query = urlencode({"path": str(path), "size": THUMBNAIL_PIXELS, "token": token}, quote_via=quote)
    name = f"{path.name} ({found.picture + 1:,} of {found.num_pictures:,})"
    return (
        f'<figure class="tg-looked"><img src="{escape(f"./train-gamma/v1/tag/thumbnail?{query}")}" '
        f'alt="{escape(path.name)}"><figcaption>{escape(name)}</figcaption></figure>'
    )


def _file(text: str | None) -> str:
    return "(there is none)" if text is None else text or "(empty)"


def _recommends(thresholds: Mapping[str, float]) -> str:
    named = [f"{value:.2f} for {WHAT.get(category, category)}" for category, value in thresholds.items() if value]
    return f"It recommends these thresholds: {', '.join(named)}." if named else ""


def _download(entry: Entry) -> str:
    return "It is downloaded when it is first used" + (f", from {entry.source}." if entry.source else ".")


def _state(entry: Entry) -> str:
    if entry.problem:
        return f"Cannot be used: {entry.problem}"
    licence = f"Licence: {entry.licence}." if entry.licence else ""
    return " ".join(filter(None, ("On this machine." if entry.ready else _download(entry), licence)))
