"""Text to learn from: corpora, a tokenizer trained on them, and packed blocks of tokens.

The default corpus, ``pydocs``, comes with every Python: the language's reference topics and the
docstrings of the standard library, about 2 MB of English. Nothing is downloaded.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import json
import os
import platform
import re
import sysconfig
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.utils.data import Dataset

from kdlab.arguments import check_whole, checked
from kdlab.batches import rows_of_table
from kdlab.files import as_path, cache_dir, parted, slug, whole_or_not_at_all
from kdlab.tokens import Unknown, encoded, tokenizer_sha256, whole_texts

__all__ = ["Corpus", "PackedDataset", "load_corpus", "train_tokenizer"]

END_OF_TEXT = "<|endoftext|>"
SAVED = ("state.json", "dataset_dict.json")
"""A folder that holds one of these files was written by ``save_to_disk`` of datasets."""
OF_ROWS = re.compile(
    r"\.(parquet|arrow|jsonl?|ndjson|csv|tsv)(\.(gz|bz2|xz|zst|zip))?$", re.IGNORECASE
)
"""Matches the names of files that hold texts in rows, beside other columns."""


@checked
@dataclass(frozen=True)
class Corpus:
    """Documents, split once and for all into those to train on and those to validate on.

    The hash of a document's text alone decides which split the document is in. So the split depends
    neither on the order nor on a seed nor on the other documents, and no text is in both splits.

    >>> corpus = Corpus("numbers", tuple(f"document {i}" for i in range(1000)))
    >>> len(corpus.train) + len(corpus.validation)
    1000
    """

    name: str  # stands in the names of cache files and of a teacher's folder
    documents: tuple[str, ...] = field(repr=False)  # too long to be shown in repr
    validation_percent: int = 10  # percent of the documents in validation, on average

    def __post_init__(self) -> None:
        documents: Any = self.documents
        documents = list(documents) if isinstance(documents, Iterator) else documents
        check_texts(documents)
        object.__setattr__(self, "documents", tuple(documents))  # from a list, column or stream
        check_percent(self.validation_percent)

    @cached_property
    def sha256(self) -> str:
        """A fingerprint of the documents, in their order, and of ``validation_percent``."""
        digest = hashlib.sha256(f"{self.validation_percent}".encode())
        for document in self.documents:
            digest.update(hashlib.sha256(document.encode()).digest())
        return digest.hexdigest()

    @property
    def train(self) -> list[str]:
        """The documents to train on."""
        percent = self.validation_percent
        return [document for document in self.documents if not held_out(document, percent)]

    @property
    def validation(self) -> list[str]:
        """The documents to measure on; nothing is trained on them, not even the tokenizer."""
        percent = self.validation_percent
        return [document for document in self.documents if held_out(document, percent)]


def held_out(text: str, percent: int) -> bool:
    """Whether a text's hash puts it in validation, as it does ``percent`` of texts on average."""
    first_bytes = hashlib.sha256(text.encode()).digest()[:4]
    return int.from_bytes(first_bytes, "big") % 100 < percent


def check_percent(percent: int) -> None:
    """Raise ValueError unless ``percent`` can be the percentage of texts that are held out."""
    if not 0 <= percent <= 100:
        raise ValueError(f"validation_percent must be from 0 to 100, got {percent}")


def check_texts(documents: Any, name: str = "") -> None:
    """Raise ValueError unless all are texts that UTF-8 can encode; the message says which is not.

    >>> check_texts(["an owl", None])
    Traceback (most recent call last):
    ValueError: document 1 must be text, got NoneType None
    """
    if isinstance(documents, str):
        raise ValueError("documents are one text, whose letters would be one each: [text]")
    if isinstance(documents, Mapping) or rows_of_table(documents):
        kind = type(documents).__name__
        raise ValueError(f"documents are a {kind}, which gives names: give the column of texts")
    if not isinstance(documents, Iterable):
        remedy = "; take its .train or .validation" if isinstance(documents, Corpus) else ""
        raise ValueError(f"documents must be texts, got {type(documents).__name__}{remedy}")
    for i, document in enumerate(documents):
        where = f"{name}, document {i}" if name else f"document {i}"
        if not isinstance(document, str):
            raise ValueError(
                f"{where} must be text, got {type(document).__name__} {document!r:.40}"
            )
        check_characters(document, where)


def check_characters(text: str, where: str) -> None:
    """Raise ValueError if a text holds half a character, that is, a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where} holds half a character, {text[error.start]!r}, which no tokenizer reads"
        ) from None


@checked
def load_corpus(name: str | os.PathLike[str] = "pydocs") -> Corpus:
    """A corpus by name; a text that occurs several times is one document.

    Args:
        name: ``"pydocs"``; or the path of a UTF-8 text file whose documents are separated by blank
            lines; or ``hf:`` and the name of a Hugging Face data set with a ``text`` column. After
            an ``@``, the name may give a split or a part of one, instead of ``train``:
            ``"hf:roneneldan/TinyStories@train[:1%]"``. ``hf:`` also reads a file of Parquet, JSON
            lines or CSV: ``"hf:stories.parquet"``.

    Raises:
        ValueError: the name is none of these; the text cannot be read; or a split would be empty.

    >>> corpus = load_corpus("pydocs")
    >>> set(corpus.train) & set(corpus.validation)
    set()
    """
    name = as_name(name)
    if name == "pydocs":
        path = cache_dir() / "corpora" / f"pydocs-{platform.python_version()}.json"
        if not path.exists():
            with whole_or_not_at_all(path) as partial:  # if unwritable, fails before the work
                partial.write_text(json.dumps(list(dict.fromkeys(_pydocs()))), encoding="utf-8")
        return Corpus("pydocs", tuple(json.loads(path.read_text(encoding="utf-8"))))
    if name.startswith("hf:"):
        title, data = hugging_face(name.removeprefix("hf:"))
        if "text" not in data.column_names:
            raise ValueError(f"the data set {name} has no column 'text', only {data.column_names}")
        documents = data["text"]
    elif OF_ROWS.search(name):
        raise ValueError(f"{name} has rows of texts; hf:{name} reads their column 'text'")
    elif Path(name).is_file():
        try:
            title, text = Path(name).stem, Path(name).read_text(encoding="utf-8-sig")
            documents = re.split(r"\n[^\S\n]*\n", text)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name} is not UTF-8 text: {error.reason} at byte {error.start}"
            ) from None
    else:
        raise ValueError(
            f"unknown corpus {name!r}: it is not 'pydocs', not a text file, and does not begin "
            "with 'hf:'"
        )
    check_texts(documents, name)
    stripped = (document.strip() for document in documents)
    corpus = Corpus(title, tuple(dict.fromkeys(filter(None, stripped))))
    if not corpus.train or not corpus.validation:
        raise ValueError(
            f"{name} has {len(corpus.documents)} documents, too few to split into training and "
            "validation; in a text file, blank lines separate them"
        )
    return corpus


def as_name(name: str | os.PathLike[str]) -> str:
    """The name of a data set as text: what begins with ``hf:`` as it is, a path without ``~``.

    Raises:
        ValueError: ``name`` is neither text nor a path.

    >>> as_name("hf:owner/name")
    'hf:owner/name'
    """
    as_path(name, "name")  # refuses what is none
    # A Path would make pydocs of ./pydocs, and on Windows hf:owner\\name of hf:owner/name.
    return os.path.expanduser(os.fsdecode(name))


def hugging_face(name: str) -> tuple[str, Any]:
    """The title and the rows of a Hugging Face data set, ``name`` or ``name@split``.

    It may be a file of Parquet, JSON lines or CSV, a folder of such files, or a folder from
    ``save_to_disk``. The default split is ``train``. A path may contain ``@`` itself.
    """
    try:
        from datasets import DatasetDict, load_dataset, load_from_disk
        from datasets.exceptions import DatasetsError
    except ImportError:
        raise ValueError("Hugging Face data sets need datasets: pip install 'kdlab[hf]'") from None
    split = ""
    if not os.path.exists(os.path.expanduser(name)):
        name, split = parted(name)
    if not name.strip("/"):
        raise ValueError("hf: needs the name of a data set after it, or the path of a file")
    try:
        place, options = os.path.expanduser(name), {}
        if any(os.path.isfile(os.path.join(place, each)) for each in SAVED):
            found = load_from_disk(place)
            parts = found if isinstance(found, DatasetDict) else {"train": found}
            if (split or "train") not in parts:
                raise ValueError(f"{split or 'train'!r} is none of its splits, {', '.join(parts)}")
            return slug(name), parts[split or "train"]
        if os.path.isfile(place):  # datasets infers the format from the name
            ending = OF_ROWS.search(place)
            if ending and not ending[0].islower():
                small = os.path.basename(place)[: -len(ending[0])] + ending[0].lower()
                raise ValueError(
                    "datasets knows the format by an ending in small letters only; rename it to "
                    f"{small}"
                )
            place, options["data_files"] = os.path.split(os.path.abspath(place))
        return slug(name), load_dataset(place, split=split or "train", **options)
    except (DatasetsError, ValueError, OSError) as error:
        why = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"the data set {name} cannot be read: {why:.300}") from error


def _pydocs() -> Iterator[str]:
    """The documents of pydocs: each reference topic, then all docstrings of each module as one."""
    from pydoc_data.topics import topics

    yield from (topics[name].strip() for name in sorted(topics))

    for _, tree in standard_library():
        docstrings = [
            docstring
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and (docstring := ast.get_docstring(node))
        ]
        if docstrings:
            yield "\n\n".join(docstrings)


def standard_library() -> Iterator[tuple[str, ast.Module]]:
    """Name and syntax tree of each module of the standard library, but tests and a few others."""
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"test", "tests", "idle_test", "site-packages", "idlelib", "lib2to3", "pydoc_data"}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if not skipped & set(parts):
            name = ".".join(parts).removesuffix(".__init__")
            yield name, ast.parse(path.read_bytes())


@checked
def train_tokenizer(corpus: Corpus, vocab_size: int = 2048) -> Tokenizer:
    """A byte-level BPE tokenizer trained on the corpus's training split; cached.

    Args:
        corpus: the text.
        vocab_size: number of entries, including the 256 bytes and the end-of-text token. If the
            text gives fewer, because no two tokens are left to join, a warning says how many.

    Returns:
        A tokenizer of the ``tokenizers`` library. It decodes what it encodes to the same text, but
        for end-of-text tokens.

    Raises:
        ValueError: ``vocab_size`` is below 257, or too large for the text.

    Source: Sennrich et al. 2016 (arXiv 1508.07909), on bytes as in GPT-2 (Radford et al. 2019).

    >>> tokenizer = train_tokenizer(load_corpus("pydocs"))
    >>> tokenizer.decode(tokenizer.encode("Return the λ of a step.").ids)
    'Return the λ of a step.'
    """
    tokenizer = tokenizer_for(corpus, vocab_size)
    if (entries := tokenizer.get_vocab_size()) < vocab_size:
        warnings.warn(
            f"the text of {corpus.name} gives {entries:,} entries, not {vocab_size:,}; take more "
            "text, or a smaller vocab_size",
            stacklevel=3,
        )
    return tokenizer


def tokenizer_for(corpus: Corpus, vocab_size: int) -> Tokenizer:
    """As :func:`train_tokenizer`, for a model that may have entries which no token uses."""
    return trained_tokenizer(lambda: corpus.train, corpus, vocab_size, [END_OF_TEXT])


def trained_tokenizer(
    texts: Callable[[], Iterable[str]],
    source: Any,
    vocab_size: int,
    special_tokens: list[str],
    *,
    digits: bool = False,
) -> Tokenizer:
    """A byte-level BPE tokenizer trained on texts; cached by its source, size and kind."""
    least = 256 + len(special_tokens)
    if vocab_size < least:
        raise ValueError(
            f"vocab_size must be at least {least}, the 256 bytes and {len(special_tokens)} special "
            f"tokens, got {vocab_size}"
        )
    kind = f"-chat{len(special_tokens)}" if digits else ""
    name = f"{slug(source.name)[:64]}-{source.sha256[:16]}-{vocab_size}{kind}.json"
    path = cache_dir() / "tokenizers" / name
    if path.exists():
        return Tokenizer.from_file(str(path))
    if vocab_size > (most := least + sum(len(text.encode()) for text in texts())):
        raise ValueError(f"vocab_size must be at most {most:,} for this text, got {vocab_size:,}")
    tokenizer = Tokenizer(models.BPE())
    bytes_of = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bytes_of])
        if digits
        else bytes_of
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    with whole_or_not_at_all(path) as partial:
        tokenizer.train_from_iterator(texts(), trainer)
        partial.write_text(tokenizer.to_str(), encoding="utf-8")
    return tokenizer


@checked
class PackedDataset(Dataset[dict[str, Tensor]]):
    """Documents as one stream of tokens, cut into blocks of equal length.

    Each item is ``{"input_ids": [T], "labels": [T]}``. The labels equal the ids, because the
    trainer shifts them. Each document ends with the end-of-text token. Tokens at the end of the
    stream that do not fill a block are dropped. If the tokenizer does not know some of the text, a
    warning says how many tokens stand for unknown text.

    Args:
        documents: the texts.
        tokenizer: a tokenizer of the ``tokenizers`` library or of transformers.
        block_size: T, the number of tokens in a block, at least 2.
        end_of_text: the token that ends each document.

    Raises:
        ValueError: the documents do not fill a single block, or are one string instead of a list;
            or the tokenizer has no token ``end_of_text``.

    >>> corpus = load_corpus("pydocs")
    >>> data = PackedDataset(corpus.validation, train_tokenizer(corpus), block_size=128)
    >>> data[0]["input_ids"].shape
    torch.Size([128])
    """

    def __init__(
        self,
        documents: Iterable[str],
        tokenizer: Any,
        block_size: int = 128,
        *,
        end_of_text: str | None = END_OF_TEXT,
    ):
        block_size = check_whole("block_size", block_size, least=2)
        if not hasattr(tokenizer, "get_vocab"):
            raise ValueError(
                "a tokenizer of transformers or of tokenizers is needed, got "
                f"{type(tokenizer).__name__} {tokenizer!r:.40}"
                + "; give its .tokenizer"
                * hasattr(tokenizer, "tokenizer")
            )
        tokenizer = whole_texts(tokenizer)
        if isinstance(documents, Iterator):
            documents = list(documents)  # an iterator can be read only once
        check_texts(documents)
        end = tokenizer.get_vocab().get(end_of_text)
        if end is None:
            named = f"no token {end_of_text!r}" if end_of_text else "no end_of_text"
            raise ValueError(
                f"the tokenizer has {named} to end a document with; name a token that it has, "
                "tokenizer.eos_token if there is one"
            )
        stream = array("q")
        texts = list(documents)
        unknown = Unknown.of(tokenizer)
        lost = 0
        for text, ids in zip(texts, encoded(tokenizer, texts), strict=True):
            stream.extend((*ids, end))
            lost += 0 if unknown is None else unknown.count(ids, text)
        if unknown is not None and lost:
            warnings.warn(
                f"of {len(stream):,} tokens of the text, {unknown.told(lost)}", stacklevel=3
            )
        blocks = len(stream) // block_size
        if blocks == 0:
            raise ValueError(f"{len(stream)} tokens do not fill a block of {block_size}")
        self.tokenizer_sha256 = tokenizer_sha256(tokenizer)
        whole = torch.from_numpy(np.frombuffer(stream, np.int64, blocks * block_size))
        self.blocks = whole.view(blocks, block_size)

    @checked
    def spread(self, number: int) -> PackedDataset:
        """A data set of ``number`` of the blocks, spread evenly over all of them.

        Raises:
            ValueError: ``number`` is below 1, or above the number of blocks.
        """
        if not 1 <= number <= len(self):
            raise ValueError(f"there are {len(self)} blocks, not {number}")
        part = copy.copy(self)
        part.blocks = self.blocks[[i * len(self) // number for i in range(number)]]
        return part

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        block = self.blocks[index]
        return {"input_ids": block, "labels": block}
