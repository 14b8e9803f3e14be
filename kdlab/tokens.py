"""What is asked of a tokenizer, of transformers or of the tokenizers library."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import Unigram

AT_ONCE = 256  # documents


def encoded(tokenizer: Any, documents: list[str]) -> Iterator[list[int]]:
    """The tokens of each document, and none that a tokenizer puts around a text.

    What a tokenizer says beside the ids takes twenty times their room: it is asked about some
    documents at a time.
    """
    for start in range(0, len(documents), AT_ONCE):
        some = documents[start : start + AT_ONCE]
        if isinstance(tokenizer, Tokenizer):
            batch = tokenizer.encode_batch(some, add_special_tokens=False)
            yield from (encoding.ids for encoding in batch)
        else:
            yield from tokenizer(some, add_special_tokens=False, verbose=False)["input_ids"]


def whole_texts(tokenizer: Any) -> Any:
    """A tokenizer that neither cuts texts nor pads them: itself, or a copy of one that is set to.

    One of transformers does so only where a call asks for it.
    """
    if isinstance(tokenizer, Tokenizer) and (tokenizer.truncation or tokenizer.padding):
        tokenizer = Tokenizer.from_str(tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
    return tokenizer


def tokenizer_sha256(tokenizer: Any) -> str:
    """A fingerprint of what the tokens of a tokenizer depend on, of either library."""
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    to_str = getattr(backend, "to_str", None)
    if to_str is None:  # tokens may be text and bytes, as tiktoken's are
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda pair: (str(pair[0]), pair[1]))
    state = repr(vocabulary) if to_str is None else to_str()
    return hashlib.sha256(state.encode()).hexdigest()


@dataclass(frozen=True)
class Unknown:
    """The token that a tokenizer writes for what it does not know.

    >>> Unknown(0, "<unk>").count([0, 7, 0], "an owl, and <unk>")
    1
    """

    id: int
    token: str

    @classmethod
    def of(cls, tokenizer: Any) -> Unknown | None:
        """That of a tokenizer; None if it knows every text, as one on bytes does."""
        backend: Any = getattr(tokenizer, "backend_tokenizer", tokenizer)
        model = getattr(backend, "model", None)
        if isinstance(model, Unigram):
            number = json.loads(backend.to_str())["model"].get("unk_id")
            return None if number is None else cls(number, str(backend.id_to_token(number)))
        token = getattr(model if hasattr(model, "unk_token") else tokenizer, "unk_token", None)
        number = None if token is None else tokenizer.get_vocab().get(token)
        return None if number is None else cls(number, str(token))

    def count(self, ids: Sequence[int], text: str) -> int:
        """How many of a text's tokens it is, without those that the text itself writes so."""
        found = ids.count(self.id)
        return max(0, found - text.count(self.token)) if found else 0

    def told(self, number: int) -> str:
        """In words, what became of a text with so many of them."""
        are = "is" if number == 1 else "are"
        return f"{number:,} {are} {self.token!r}: the tokenizer does not know what stood there"
