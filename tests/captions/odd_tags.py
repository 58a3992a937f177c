"""Names that the tag lists of booru taggers really have, and that text handling likes to break."""

from train_gamma.captions.tag_text import KAOMOJI

ODD_TAGS = [
    *sorted(KAOMOJI),
    ">:(",
    ">:)",
    ":)",
    ":(",
    ":d",
    ":3",
    ";)",
    "d:",
    "!?",
    "...",
    "^^^",
    "\\m/",
    "\\o/",
    "\\||/",
    "\\(^o^)/",
    "hatsune_miku_(cosplay)",
    "saber_(fate/stay_night)_(cosplay)",
    'don\'t_say_"lazy"',
    "rating:safe",
    "100%_orange_juice",
    "a&b",
    "[x]_y",
    "é_ü",
]
