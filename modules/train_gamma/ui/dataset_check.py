"""The Dataset tab's examination, preparation of pictures, backups, and exchange with kohya's scripts."""

from train_gamma.ui.dataset_markup import button, choice, entry, folded, hint, row, tick, told

MODES = {"replace": "instead of what is there", "append": "behind it", "fill empty": "only where nothing is"}
KOHYA_PARTS = {"caption and tags": "caption and tags", "caption": "caption", "tags": "tags"}
EXPORTED = {"": "caption and tags", "caption": "captions only", "tags": "tags only"}

OF_COPIES = (
    "Training cuts each picture to the bucket nearest to its shape. Copies that are cut around what matters "
    "can be written into a new folder; the pictures here stay as they are."
)


def check_part() -> str:
    """What is wrong with the pictures and captions, and what can be done about it."""
    return f"""
{hint("Looks at every picture and caption for what would spoil a training. Nothing is changed by it.")}
{
        row(
            button("Examine", "examine", primary=True),
            button("Stop", "examine_stop", hidden=True),
            button("Undo the last fix", "undo_fix", hidden=True),
        )
    }
{told("examine_told")}
{_progress("examine")}
{told("check_told")}
<div data-ds="findings"></div>
{row(button("Report as HTML", "report_html", hidden=True), button("Report as markdown", "report_md", hidden=True))}
"""


def prepare_part() -> str:
    """What training cuts off the pictures, and copies that are cut better."""
    return f"""
{hint(OF_COPIES)}
<div data-ds="prepare_form" class="tg-ds-form"></div>
{
        row(
            button("Show the plan", "plan"),
            button("Write the copies", "prepare", primary=True, disabled=True),
            button("Stop", "prepare_stop", hidden=True),
        )
    }
{_progress("prepare")}
{told("prepare_told")}
<div data-ds="crop" hidden>
  <h4>Cut <span data-ds="crop_name"></span> by hand</h4>
  <div data-ds="crop_area" class="tg-ds-crop">
    <img data-ds="crop_picture" alt="" draggable="false"><div data-ds="crop_box" hidden></div>
  </div>
  {
        row(
            *(
                entry(f"crop_{name}", label, "number", min="0", class_="tg-ds-short")
                for name, label in (("x", "Left"), ("y", "Top"), ("width", "Width"), ("height", "Height"))
            )
        )
    }
  {row(button("Use this box", "crop_use"), button("No box", "crop_none"))}
</div>
<div data-ds="plan" class="tg-ds-scrolled" tabindex="0" role="region" aria-label="Plan"></div>
"""


def saved_part() -> str:
    """Captions as they were before each save, and kohya's metadata."""
    return f"""
{hint("Before each save, the captions that change are kept outside of the dataset. Put them back here.")}
{row(button("Look again", "backups"))}
<ul data-ds="backups" class="tg-ds-backups" aria-label="Backups"></ul>
{told("saved_told")}
{
        folded(
            "Metadata of kohya's scripts",
            entry("kohya_path", "JSON file"),
            row(choice("kohya_part", "Take over", KOHYA_PARTS), choice("kohya_mode", "Put it", MODES)),
            row(button("Import", "kohya_import")),
            choice("kohya_export_part", "Write", EXPORTED),
            tick("kohya_full_path", "Name pictures by their whole path"),
            row(button("Export", "kohya_export")),
            told("kohya_told"),
        )
    }
"""


def _progress(name: str) -> str:
    return (
        f'<div class="tg-bar" data-ds="{name}_progress" role="progressbar" aria-label="Progress" aria-valuemin="0" '
        f'aria-valuemax="100" hidden><div data-ds="{name}_bar"></div></div>'
    )
