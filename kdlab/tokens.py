"""What kdlab asks a tokenizer for, be it of transformers or of the tokenizers library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import Unigram

AT_ONCE = 256  # documents in one call of a tokenizer


def encoded(tokenizer: Any, documents: list[str]) -> Iterator[list[int]]:
    """The token ids of each document, without the special tokens that a tokenizer puts around it.

    The tokenizer's other results take twenty times the memory of the ids, so it is called with
    ``AT_ONCE`` documents at a time.
    """
    for start in range(0, len(documents), AT_ONCE):
        some = documents[start : start + AT_ONCE]
        if isinstance(tokenizer, Tokenizer):
            batch = tokenizer.encode_batch(some, add_special_tokens=False)
            yield from (encoding.ids for encoding in batch)
        else:
            yield from tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]


def whole_texts(tokenizer: Any) -> Any:
    """The tokenizer; or, if it is set to cut or pad texts, a copy that does neither.

    A tokenizer of transformers cuts and pads only where a call asks for it.
    """
    if isinstance(tokenizer, Tokenizer) and (tokenizer.truncation or tokenizer.padding):
        tokenizer = Tokenizer.from_str(tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
    return tokenizer


def tokenizer_sha256(tokenizer: Any) -> str:
    """A fingerprint of a tokenizer of either library: of its state, or else of its vocabulary."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    to_str = getattr(backend, "to_str", None)
    if to_str is None:  # tokens may mix text and bytes, as tiktoken's do
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda pair: (str(pair[0]), pair[1]))
    state = repr(vocabulary) if to_str is None else to_str()
    return hashlib.sha256(state.encode()).hexdigest()


@dataclass(frozen=True)
class Unknown:
    """The token that a tokenizer writes for text that it does not know.

    >>> Unknown(0, "<unk>").count([0, 7, 0], "an owl, and <unk>")
    1
    """

    id: int
    token: str

    @classmethod
    def of(cls, tokenizer: Any) -> Unknown | None:
        """The unknown token of a tokenizer; None if it has none, as one that works on bytes."""
        backend: Any = getattr(tokenizer, "backend_tokenizer", tokenizer)
        model = getattr(backend, "model", None)
        if isinstance(model, Unigram):
            number = json.loads(backend.to_str())["model"].get("unk_id")
            return None if number is None else cls(number, str(backend.id_to_token(number)))
        token = getattr(model if hasattr(model, "unk_token") else tokenizer, "unk_token", None)
        number = None if token is None else tokenizer.get_vocab().get(token)
        return None if number is None else cls(number, str(token))

    def count(self, ids: Sequence[int], text: str) -> int:
        """How many ids are this token, minus how often the text itself contains it; at least 0."""
        found = ids.count(self.id)
        return max(0, found - text.count(self.token)) if found else 0

    def told(self, number: int) -> str:
        """A clause for a message, which says that ``number`` tokens are this one, and why."""
        are = "is" if number == 1 else "are"
        return f"{number:,} {are} {self.token!r}: the tokenizer does not know what stood there"
