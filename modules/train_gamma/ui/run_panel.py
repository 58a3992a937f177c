"""The bones of the progress panel. ``javascript/train_gamma.js`` fills them from the API, about once a second."""

from html import escape

from train_gamma.ui.ids import element_id

FACTS = (
    ("step", "Step"),
    ("epoch", "Epoch"),
    ("eta", "Time left"),
    ("seconds", "Time used"),
    ("loss", "Loss, smoothed"),
    ("rate", "Learning rate now"),
    ("speed", "Per step"),
    ("memory", "Memory"),
)
COMMANDS = (("stop", "Stop"), ("save", "Save now"), ("preview", "Preview now"))


def skeleton(token: str) -> str:
    """The panel with nothing in it yet.

    Args:
        token: what the script shows to the API to be let in.
    """
    facts = "".join(f'<div><dt>{label}</dt><dd data-tg="{name}">-</dd></div>' for name, label in FACTS)
    buttons = "".join(
        f'<button type="button" data-tg-command="{name}" disabled>{label}</button>' for name, label in COMMANDS
    )
    return f"""
<section id="{element_id("run")}" class="tg-panel" data-token="{escape(token)}" aria-label="Progress">
  <header><h3>Progress</h3><strong data-tg="state">idle</strong></header>
  <p data-tg="message">Nothing is running.</p>
  <p data-tg="other" class="tg-message tg-note" hidden></p>
  <p data-tg="spoken" class="tg-spoken" role="status" aria-live="polite"></p>
  <p data-tg="network" class="tg-message tg-warning" role="alert" hidden></p>
  <div data-tg="running" hidden>
    <div class="tg-bar" role="progressbar" aria-label="Steps done" aria-valuemin="0" aria-valuemax="100">
      <div data-tg="bar"></div>
    </div>
    <div data-tg="commands" class="tg-buttons">{buttons}</div>
    <dl class="tg-facts">{facts}</dl>
  </div>
  <div data-tg="result" class="tg-buttons" hidden>
    <button type="button" data-tg-command="send" class="tg-primary">Send to txt2img</button>
    <button type="button" data-tg-command="lists">Refresh the lists of txt2img</button>
  </div>
  <ul data-tg="warnings" class="tg-findings" hidden></ul>
  <figure data-tg="curve" hidden>
    <h4>Loss</h4><div data-tg="plot"></div><figcaption data-tg="told"></figcaption>
  </figure>
  <div data-tg="previews" hidden><h4>Previews</h4><div data-tg="pictures"></div></div>
</section>
"""
