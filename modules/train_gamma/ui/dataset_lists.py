"""The Dataset tab's list of tags, and its pictures with what filters them."""

from train_gamma.ui.dataset_markup import button, choice, entry, folded, row, tick, told

SEARCHES = {
    "substring": "contains",
    "prefix": "begins with",
    "suffix": "ends with",
    "regex": "regular expression",
}
ORDERS = {"count": "count", "name": "name", "length": "length", "tokens": "tokens"}
SCOPES = {"all": "all pictures", "filtered": "the shown pictures", "selected": "the selected pictures"}
"""Which captions a mass edit changes."""


def tag_list() -> str:
    """All tags of the dataset, and what can be done with the ticked ones."""
    return f"""
<section class="tg-ds-tags" aria-label="Tags of the dataset">
  <h3>Tags <span data-ds="tag_total" class="tg-quiet"></span></h3>
  {row(entry("tag_search", "Search tags", "search"), choice("tag_mode", "How", SEARCHES))}
  {row(choice("tag_sort", "Sort by", ORDERS), tick("tag_ascending", "Turned round"))}
  {tick("tag_of_shown", "Of the shown pictures only")}
  <p data-ds="tag_problem" class="tg-message tg-error" role="alert" hidden></p>
  <ul data-ds="tags" class="tg-ds-list" role="listbox" aria-multiselectable="true"
      aria-label="Tags; Space ticks, Enter filters"></ul>
  {button("Show more tags", "more_tags", hidden=True)}
  <p data-ds="most_tags" class="tg-quiet" hidden>The first 5,000 are shown; search for the others.</p>
  <div class="tg-ds-actions" role="group" aria-label="Ticked tags">
    {row('<span data-ds="ticked">No tag is ticked.</span>', button("Untick all", "untick"))}
    {choice("tag_scope", "In", SCOPES)}
    {told("tag_told")}
    {
        row(
            button("Remove", "remove_tags", primary=True, disabled=True),
            button("Rename", "rename_tag", disabled=True),
            button("To the front", "front_tags", disabled=True),
            button("Yes or no", "yes_no", disabled=True),
        )
    }
  </div>
</section>
"""


def grid() -> str:
    """The pictures that pass the filter, a page at a time."""
    return f"""
<section class="tg-ds-pictures" aria-label="Pictures">
  <div class="tg-ds-row tg-ds-between">
    <h3>Pictures <span data-ds="shown" class="tg-quiet" aria-live="polite"></span></h3>
    {button("Show all pictures", "no_filter", hidden=True)}
  </div>
  <ul data-ds="chips" class="tg-chips" aria-label="Filter"></ul>
  {folded("Filter", _filter(), name="filter")}
  <div data-ds="yes_no" class="tg-message tg-note" role="group" aria-label="Yes or no" hidden>
    <p data-ds="yes_no_told"></p>
    {row(button("Apply", "yes_no_apply", primary=True), button("Leave it", "yes_no_end"))}
  </div>
  <ul data-ds="grid" class="tg-ds-grid" role="listbox" aria-multiselectable="true"
      aria-label="Pictures; Space selects, Enter shows"></ul>
  <p data-ds="nothing" class="tg-quiet" hidden>No picture passes the filter.</p>
  <div class="tg-ds-row tg-ds-between">
    <span data-ds="selected" class="tg-quiet" aria-live="polite"></span>
    {row(button("Select all", "select_all", title="All that pass the filter"), button("Select none", "select_none"))}
  </div>
  <div class="tg-ds-row tg-ds-between" data-ds="pages" role="group" aria-label="Pages" hidden>
    {button("Previous", "page_back", aria_label="Previous page")}
    <span data-ds="page"></span>
    {button("Next", "page_on", aria_label="Next page")}
  </div>
</section>
"""


def _filter() -> str:
    return (
        row(
            choice("filter_join", "Tags asked for", {"all": "all of them", "any": "any of them"}),
            entry("filter_text", "Caption contains", "search"),
        )
        + row(
            entry("filter_tokens", "More tokens than", "number", min="0", class_="tg-ds-short"),
            entry("filter_tags", "Fewer tags than", "number", min="0", class_="tg-ds-short"),
        )
        + row(
            tick("filter_untagged", "Without any tag"),
            tick("filter_plain", "Sentences"),
            tick("filter_selected", "Selected only"),
            tick("filter_changed", "Unsaved only"),
        )
    )
