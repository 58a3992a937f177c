"""The Dataset tab's view of one picture with its tags, and the assistant that says which tags to take out."""

from train_gamma.ui.dataset_markup import area, button, entry, folded, hint, row, told

OF_PRUNING = (
    "What a caption does not say is left for the embedding to learn. So take out what belongs to the subject, "
    "and leave the scene. These are suggestions: look at them before you take them out."
)


def picture_part() -> str:
    """One picture, large, and its caption as chips and as text."""
    return f"""
<div data-ds="one_kept_part" class="tg-message tg-warning" hidden>
  <p data-ds="one_kept_told"></p>
  {area("one_kept", "What you typed")}
  {button("Throw it away", "one_kept_away")}
</div>
<p data-ds="no_picture" class="tg-quiet">Click a picture, or press Enter on it, to see it here.</p>
<div data-ds="one" hidden>
  <div class="tg-ds-row tg-ds-between">
    {button("Previous", "previous", title="Alt + left")}
    <span data-ds="one_place" aria-live="polite"></span>
    {button("Next", "next", title="Alt + right")}
  </div>
  <figure><img data-ds="one_picture" alt=""><figcaption data-ds="one_name"></figcaption></figure>
  <p data-ds="one_problem" class="tg-message tg-warning" hidden></p>
  <ul data-ds="one_tags" class="tg-ds-own tg-chips" role="listbox"
      aria-label="Tags of the picture; Shift and an arrow moves, Delete takes out"></ul>
  <p data-ds="one_tokens" class="tg-quiet"></p>
  {entry("one_add", "Add a tag to this picture", data_complete=True)}
  <div data-ds="one_seen_part" hidden>
    <p class="tg-ds-label">Seen by the tagger, not in the caption</p>
    <ul data-ds="one_seen" class="tg-chips"></ul>
  </div>
  {
        folded(
            "The caption as text",
            area("one_text", "Caption, as it is written"),
            '<div data-ds="one_text_changed" class="tg-message tg-warning" role="status" hidden>'
            "<p>The caption was changed meanwhile. It is now:</p>"
            '<blockquote data-ds="one_text_now"></blockquote></div>',
            row(button("Take this text", "one_text_apply"), button("As it was", "one_text_back")),
            name="one_raw",
        )
    }
  {
        folded(
            "Copy its tags",
            hint("To the selected pictures, without this one."),
            row(button("Instead of theirs", "one_copy"), button("Add what is missing", "one_append")),
            told("one_copy_told"),
        )
    }
</div>
"""


def prune_part() -> str:
    """Tags that may be taken out, and what the vectors may start from then."""
    return f"""
{hint(OF_PRUNING)}
{
        row(
            entry("prune_name", "Name of the embedding"),
            entry("prune_vectors", "Vectors", "number", min="1", max="75", value="8", class_="tg-ds-short"),
            button("Suggest", "suggest", primary=True),
        )
    }
<div data-ds="advice" hidden>
  <ul data-ds="contradictions" class="tg-findings" hidden></ul>
  <div data-ds="suggestions"></div>
  <div class="tg-ds-last">
    {row(button("Remove the ticked tags", "prune", primary=True, disabled=True), told("prune_told"))}
  </div>
</div>
<div data-ds="start_text" role="group" aria-label="Initialization text" hidden>
  <h4>Initialization text</h4>
  {hint("The vectors start from these words; what has no room is not in them.")}
  {area("init_text", "Text to start from", 2)}
  <p data-ds="init_told" class="tg-quiet"></p>
  <ul data-ds="init_words" class="tg-chips" aria-label="Words, struck through where there is no room"></ul>
  {
        row(
            button("Send to Create", "send_to_create", primary=True),
            button("With commas", "init_commas"),
            button("Without commas", "init_plain"),
        )
    }
</div>
"""
