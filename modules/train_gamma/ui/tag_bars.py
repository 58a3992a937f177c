"""What was seen in pictures, as HTML: a bar for each tag by category, and what there is of each tag in a folder."""

from collections.abc import Mapping, Sequence
from html import escape

from train_gamma.service.tag_views import Ranked, TagCount
from train_gamma.tagging.interrogator import CHARACTER, GENERAL, RATING

FIRST = (RATING, GENERAL, CHARACTER)
"""Categories that come before others."""
MOST_LEFT_OUT = 8
"""So many tags that are not written are shown, in each category."""
MOST_COUNTED = 150
"""So many tags of a folder are shown."""


def ranked(tags: Sequence[Ranked]) -> str:
    """Tags with a bar each, by category; those that are written have a tick, a mark on a bar is the threshold."""
    groups: dict[str, list[Ranked]] = {category: [] for category in FIRST}
    for tag in tags:
        groups.setdefault(tag.category, []).append(tag)
    return "".join(_group(category, found) for category, found in groups.items() if found)


def counted(counts: Sequence[TagCount], num_known: int, before: Mapping[str, int] | None = None) -> str:
    """The tags of a folder with their share of its pictures.

    Args:
        counts: the most frequent first.
        num_known: pictures that are counted.
        before: the counts at the recommended thresholds, to say what has changed; None when that is what is shown.
    """
    rows = [_counted(count, num_known, before) for count in counts[:MOST_COUNTED]]
    more = len(counts) - len(rows)
    told = _quiet(f"And {more:,} more tags, which are rarer.") if more > 0 else ""
    listed = f'<ul class="tg-bars tg-scrolled" tabindex="0" aria-label="Tags of the folder">{"".join(rows)}</ul>'
    return (listed if rows else "") + told + _gone(counts, before)


def _group(category: str, tags: Sequence[Ranked]) -> str:
    written = [tag for tag in tags if tag.chosen]
    others = [tag for tag in tags if not tag.chosen]
    rows = [_ranked(tag) for tag in sorted([*written, *others[:MOST_LEFT_OUT]], key=lambda tag: -tag.probability)]
    more = len(others) - MOST_LEFT_OUT
    told = _quiet(f"And {more} less probable.") if more > 0 else ""
    head = f'<h5 class="tg-category">{escape(category)}</h5>'
    return f'{head}<ul class="tg-bars" aria-label="{escape(category)}">{"".join(rows)}</ul>{told}'


def _ranked(tag: Ranked) -> str:
    mark = f'<span class="tg-mark" style="left:{100 * tag.threshold:.1f}%"></span>' if 0 < tag.threshold < 1 else ""
    state = "tg-written" if tag.chosen else "tg-left-out"
    told = "written" if tag.chosen else "not written"
    tick = "\u2713" if tag.chosen else ""
    return (
        f'<li class="{state}" title="{told}"><span class="tg-tick" aria-hidden="true">{tick}</span>'
        f'<span class="tg-name">{escape(tag.text)}</span>{_bar(tag.probability, mark)}'
        f'<span class="tg-value">{_percent(tag.probability)}</span><span class="tg-spoken">{told}</span></li>'
    )


def _counted(count: TagCount, num_known: int, before: Mapping[str, int] | None) -> str:
    difference = 0 if before is None else count.count - before.get(count.tag, 0)
    change = f"{difference:+,}".replace("-", "\u2212") if difference else ""
    return (
        f'<li class="tg-counted"><span class="tg-name">{escape(count.tag)}</span>{_bar(count.share, "")}'
        f'<span class="tg-value">{count.count:,} of {num_known:,}</span><span class="tg-change">{change}</span></li>'
    )


def _gone(counts: Sequence[TagCount], before: Mapping[str, int] | None) -> str:
    """The tags that only the recommended thresholds would write."""
    now = {count.tag for count in counts}
    gone = [tag for tag in before or {} if tag not in now]
    if not gone:
        return ""
    named = ", ".join(gone[:20]) + (f" and {len(gone) - 20} more" if len(gone) > 20 else "")
    return _quiet(f"In no picture any more: {named}.")


def _bar(share: float, mark: str) -> str:
    filled = f'<span style="width:{100 * min(1.0, max(0.0, share)):.1f}%"></span>'
    return f'<span class="tg-track" aria-hidden="true">{filled}{mark}</span>'


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 0.995 or share >= 1 else "99 %"  # 100 is said of what is certain


def _quiet(text: str) -> str:
    return f'<p class="tg-quiet">{escape(text)}</p>'
