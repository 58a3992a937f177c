"""Every setting of a tagging run. Each field describes itself; page, command line and API are made from that."""

from dataclasses import dataclass

from train_gamma.errors import raise_all
from train_gamma.training.options import option, range_problems

SKIP, OVERWRITE, OLD_FIRST, NEW_FIRST, FILL_EMPTY, PREVIEW_ONLY = EXISTING = (
    "skip",
    "overwrite",
    "merge old first",
    "merge new first",
    "fill empty only",
    "preview only",
)


@dataclass(frozen=True, slots=True)
class TagConfig:
    """What is tagged, by what, and what is written.

    Raises:
        UserError: if a value is out of its range.
    """

    folder: str = option("", label="Pictures", help="The folder with the pictures to tag.", path=True)
    recursive: bool = option(False, label="Include subfolders", help="Tag the pictures in folders inside it too.")
    model: str = option("wd-vit-tagger-v3", label="Tagger", help="The model that names what is in the pictures.")
    captioner: str = option(
        "", label="Sentence from", help="A model that writes a sentence, which comes before the tags; empty for none."
    )
    threshold_method: str = option(
        "fixed",
        label="Threshold",
        help="fixed takes the numbers below; mcut cuts each picture's tags at the largest gap between two "
        "probabilities, which mostly leaves the few that are certain.",
        choices=("fixed", "mcut"),
    )
    general_threshold: float = option(
        0.0,
        label="General threshold",
        help="Tags this probable are written. 0 takes what the model recommends.",
        minimum=0.0,
        maximum=1.0,
    )
    character_threshold: float = option(
        0.0,
        label="Character threshold",
        help="The same for names of characters. 0 takes what the model recommends.",
        minimum=0.0,
        maximum=1.0,
    )
    other_threshold: float = option(
        0.0,
        label="Threshold of other categories",
        help="The same for copyright, artist, meta and the like. 0 takes what the model recommends.",
        minimum=0.0,
        maximum=1.0,
    )
    categories: tuple[str, ...] = option(
        ("general",),
        label="Categories to write",
        help="general, character, rating, and what else the model knows. An embedding replaces the character's name.",
    )
    spaces: bool = option(
        True,
        label="Spaces instead of underscores",
        help="Kaomoji such as ^_^ keep theirs.",
    )
    escape: bool = option(
        True,
        label="Escape brackets",
        help=r"Write \( and \), or the prompt reads the brackets as emphasis.",
    )
    sort: str = option(
        "confidence",
        label="Order",
        help="The most probable first, alphabetical, or the most frequent of the folder first.",
        choices=("confidence", "alphabetical", "frequency"),
    )
    add_tags: str = option("", label="Additional tags", help="Written into every caption; separated by commas.")
    add_position: str = option(
        "front", label="Where to add", help="Before or after the tags that were found.", choices=("front", "back")
    )
    keep_tags: str = option(
        "",
        label="Always keep",
        help="Written whenever the model sees them at all (0.05), and never left out for another reason.",
    )
    exclude_tags: str = option(
        "", label="Exclude tags", help="Never written. 'long hair', 'long_hair' and 'Long Hair' are the same."
    )
    replace_tags: tuple[str, ...] = option((), label="Replace tags", help="A rule such as: nude, nipples -> nsfw")
    max_tags: int = option(
        0, label="Maximum tags", help="Of those found, the most probable so many. 0 for all.", minimum=0, maximum=1000
    )
    weights: bool = option(
        False,
        label="Write weights",
        help="As (tag:0.98), the probability as emphasis. Training reads captions literally.",
    )
    existing: str = option(
        SKIP,
        label="Pictures that have a caption",
        help="Skip them, replace the caption, merge old and new tags without duplicates, fill only what is empty, or "
        "write nothing at all and only show what would be.",
        choices=EXISTING,
    )
    extension: str = option(
        ".txt", label="Caption files", help="The ending of the files beside the pictures.", choices=(".txt", ".caption")
    )
    background: str = option(
        "white",
        label="Background",
        help="Colour that shows through transparent pictures; take the same for training.",
    )
    batch_size: int = option(8, label="Pictures at once", help="Where the model allows it.", minimum=1, maximum=128)
    device: str = option(
        "auto",
        label="Device",
        help="auto takes the GPU if the model really loads on it, and the CPU otherwise.",
        choices=("auto", "cpu", "gpu"),
    )
    make_room: bool = option(
        False,
        label="Move the checkpoint out of the way",
        help="Frees GPU memory while pictures are tagged. Afterwards the tagger is unloaded and it is put back.",
    )
    unload: bool = option(
        False, label="Unload the tagger afterwards", help="It is unloaded before a training in any case."
    )

    def __post_init__(self) -> None:
        raise_all(range_problems(self))
