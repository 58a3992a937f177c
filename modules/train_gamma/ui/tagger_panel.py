"""The bones of the Tagger tab's progress. ``javascript/train_gamma.js`` fills them, about once a second."""

from train_gamma.ui.ids import element_id

FACTS = (
    ("done", "Pictures"),
    ("eta", "Time left"),
    ("seconds", "Time used"),
    ("speed", "Speed"),
    ("device", "Runs on"),
)
FAILED = "Pictures that could not be tagged"


def skeleton() -> str:
    """The panel with nothing in it yet."""
    facts = "".join(f'<div><dt>{label}</dt><dd data-tg="{name}">-</dd></div>' for name, label in FACTS)
    return f"""
<section id="{element_id("tagging")}" class="tg-panel" aria-label="Progress of tagging">
  <header><h3>Progress</h3><strong data-tg="state">idle</strong></header>
  <p data-tg="message">Nothing is being tagged.</p>
  <p data-tg="other" class="tg-message tg-note" hidden></p>
  <p data-tg="spoken" class="tg-spoken" role="status" aria-live="polite"></p>
  <p data-tg="network" class="tg-message tg-warning" role="alert" hidden></p>
  <div data-tg="running" hidden>
    <div class="tg-bar" role="progressbar" aria-label="Pictures done" aria-valuemin="0" aria-valuemax="100">
      <div data-tg="bar"></div>
    </div>
    <div data-tg="commands" class="tg-buttons">
      <button type="button" data-tg="cancel" data-tg-command="cancel">Cancel</button>
    </div>
    <dl class="tg-facts">{facts}</dl>
    <dl data-tg="counts" class="tg-facts" hidden></dl>
  </div>
  <div data-tg="result" class="tg-buttons" hidden>
    <button type="button" data-tg-command="backups">Captions before this run</button>
  </div>
  <div data-tg="failures" hidden>
    <h4>{FAILED}</h4>
    <ul data-tg="failed" class="tg-findings tg-scrolled" tabindex="0" aria-label="{FAILED}"></ul>
  </div>
  <ul data-tg="warnings" class="tg-findings" hidden></ul>
</section>
"""
