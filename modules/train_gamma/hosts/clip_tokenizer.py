"""CLIP's vocabulary, from the tokenizer folder of a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train_gamma.backbone import Token
from train_gamma.errors import UserError


@dataclass(frozen=True)
class ClipTokenizer:
    """A vocabulary with CLIP's begin, end and comma tokens.

    tokenizer: a ``CLIPTokenizer`` of transformers, slow or fast.
    """

    tokenizer: Any

    @property
    def begin_id(self) -> int:
        """``<|startoftext|>``."""
        return int(self.tokenizer.bos_token_id)

    @property
    def end_id(self) -> int:
        """``<|endoftext|>``."""
        return int(self.tokenizer.eos_token_id)

    @property
    def comma_id(self) -> int | None:
        """The comma at the end of a word."""
        known = self.tokenizer.convert_tokens_to_ids(",</w>")
        return None if known == self.tokenizer.unk_token_id else int(known)

    def encode(self, text: str) -> list[int]:
        """The ids of ``text``, without begin and end, however long."""
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False, truncation=False)["input_ids"]]

    def tokens(self, text: str) -> list[Token]:
        """The tokens of ``text``; one that is only a part of a character stands for no text."""
        return [Token(i, self.text_of(i)) for i in self.encode(text)]

    def text_of(self, token_id: int) -> str:
        """What a token stands for, "" for a part of a character."""
        text = str(self.tokenizer.decode([token_id])).strip()
        return "" if "\ufffd" in text else text


def load_tokenizer(folder: Path) -> ClipTokenizer:
    """Read ``vocab.json`` and ``merges.txt``.

    Raises:
        UserError: if they are missing or damaged.
    """
    import transformers

    # transformers 4 has a slow and a fast one, 5 has only one; they give the same ids
    cls: Any = getattr(transformers, "CLIPTokenizerFast", None) or transformers.CLIPTokenizer
    for name in ("vocab.json", "merges.txt"):
        if not (folder / name).is_file():
            raise UserError(f"The tokenizer folder '{folder}' has no {name}. Copy it from the model's original folder.")
    try:
        # the length limit is only good for a warning: longer prompts are cut into chunks
        tokenizer = cls.from_pretrained(str(folder), local_files_only=True, model_max_length=10**9)
    except Exception as error:  # the tokenizers library raises nothing narrower for damaged files
        raise UserError(f"The tokenizer in '{folder}' cannot be read ({error}). Download it again.") from error
    return ClipTokenizer(tokenizer)
