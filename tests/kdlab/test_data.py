"""Corpora are split by document, tokenizers lose nothing, blocks hold the stream in order."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from kdlab import (
    Corpus,
    Examples,
    History,
    PackedDataset,
    load_corpus,
    load_examples,
    train_tokenizer,
)
from kdlab.data import END_OF_TEXT


@pytest.fixture(scope="module")
def pydocs():
    return load_corpus("pydocs")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path))
    return tmp_path


def test_pydocs_is_about_two_megabytes_of_english(pydocs):
    text = " ".join(pydocs.documents)
    assert 1_500_000 < len(text) < 4_000_000
    assert "The return statement" in text or "return" in text
    words = text.lower().split()
    assert 0.03 < words.count("the") / len(words) < 0.10  # as in English prose


def test_the_split_is_by_document_and_about_a_tenth(pydocs):
    assert set(pydocs.train) | set(pydocs.validation) == set(pydocs.documents)
    assert not set(pydocs.train) & set(pydocs.validation)
    assert 0.05 < len(pydocs.validation) / len(pydocs.documents) < 0.15


def test_a_document_stays_in_its_split_whatever_stands_around_it(pydocs):
    backwards = Corpus("backwards", pydocs.documents[::-1])
    assert set(backwards.validation) == set(pydocs.validation)
    assert backwards.sha256 != pydocs.sha256


@pytest.mark.slow
def test_a_corpus_is_the_same_from_the_cache(cache):
    assert load_corpus("pydocs").sha256 == load_corpus("pydocs").sha256
    assert [path.name for path in cache.glob("corpora/*")]


def test_a_text_file_is_split_at_blank_lines(tmp_path):
    path = tmp_path / "tales.txt"
    path.write_text("\n\n".join(f"tale number {i}\nwith a second line" for i in range(200)))
    corpus = load_corpus(str(path))
    assert corpus.name == "tales"
    assert len(corpus.documents) == 200
    assert all("second line" in document for document in corpus.documents)


def test_a_hugging_face_data_set_is_a_corpus(tmp_path):
    pytest.importorskip("datasets")
    rows = [json.dumps({"text": f"story number {i}"}) for i in range(300)]
    (tmp_path / "tales").mkdir()
    (tmp_path / "tales" / "train.jsonl").write_text("\n".join(rows))
    corpus = load_corpus(f"hf:{tmp_path}/tales")
    assert len(corpus.documents) == 300
    assert "/" not in corpus.name
    assert len(load_corpus(f"hf:{tmp_path}/tales@train[:50%]").documents) == 150
    (tmp_path / "tales" / "train.jsonl").write_text(json.dumps({"content": "no text"}))
    with pytest.raises(ValueError, match=r"no column 'text', only \['content'\]"):
        load_corpus(f"hf:{tmp_path}/tales")
    (tmp_path / "tales" / "train.jsonl").write_text('{"text": "a tale"}\n{"text": null}')
    with pytest.raises(ValueError, match="tales, document 1 must be text, got NoneType None"):
        load_corpus(f"hf:{tmp_path}/tales")
    with pytest.raises(ValueError, match="tales cannot be read: Unknown split"):
        load_corpus(f"hf:{tmp_path}/tales@dev")


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv", "jsonl.gz"])
def test_a_file_of_rows_is_a_corpus_and_is_one_of_conversations(tmp_path, kind, monkeypatch):
    datasets = pytest.importorskip("datasets")
    tales = [f"story number {i}\n\nand its end" for i in range(60)]
    data = datasets.Dataset.from_dict({"text": tales, "prompt": tales, "completion": tales})
    path = tmp_path / f"tales.{kind}"
    write = getattr(data, f"to_{kind.partition('.')[0].replace('jsonl', 'json')}")
    write(path, **{"compression": "gzip"} if kind.endswith("gz") else {})
    monkeypatch.chdir(tmp_path)
    assert load_corpus(f"hf:{path.name}").documents == tuple(tales)
    assert load_corpus(f"hf:{path}").sha256 == Corpus("", tuple(tales)).sha256
    assert load_examples(f"hf:{path}").conversations[7].answer == tales[7]
    with pytest.raises(ValueError, match=rf"has rows of texts; hf:tales\.{kind} reads their"):
        load_corpus(path.name)


@pytest.mark.parametrize(("load", "module"), [(load_corpus, "data"), (load_examples, "examples")])
def test_the_name_of_a_data_set_is_no_path(monkeypatch, load, module):
    """As a path, hf:owner/name would be hf:owner\\name on Windows."""
    asked = []

    def found(name):
        asked.append(name)
        raise LookupError

    monkeypatch.setattr(f"kdlab.{module}.hugging_face", found)
    for name in ("owner//name/", "./owner@train"):
        with pytest.raises(LookupError):
            load(f"hf:{name}")
    assert asked == ["owner//name/", "./owner@train"]
    with pytest.raises(ValueError, match="name must be a path, got int 7"):
        load(7)
    home = os.path.expanduser("~")
    for name in ("~/nothing", b"~/nothing", Path("~/nothing")):
        with pytest.raises(ValueError, match=re.escape(os.path.join(home, "nothing"))):
            load(name)


def test_a_file_may_be_called_as_a_set_of_ours_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pydocs").write_text("\n\n".join(f"Owl {i} sees a mouse." for i in range(60)))
    assert len(load_corpus("./pydocs").documents) == 60


def test_an_at_in_a_path_begins_no_split(tmp_path):
    pytest.importorskip("datasets")
    folder = tmp_path / "ada@uni.edu"
    folder.mkdir()
    tales = [f"story number {i}" for i in range(300)]
    for name in ("tales.jsonl", "a@b.jsonl"):
        (folder / name).write_text("\n".join(json.dumps({"text": each}) for each in tales))
        assert load_corpus(f"hf:{folder / name}").documents == tuple(tales)
        assert load_corpus(f"hf:{folder / name}@train[:50%]").documents == tuple(tales[:150])
    assert len(load_corpus(f"hf:{folder}@train[:10%]").documents) == 60
    with pytest.raises(ValueError, match=r"uni\.edu/none\.jsonl cannot be read"):
        load_corpus(f"hf:{folder}/none.jsonl")


def test_the_ending_of_a_file_of_rows_may_be_in_capitals(tmp_path):
    pytest.importorskip("datasets")
    for name in ("UP.CSV", "tales.Jsonl.GZ", "tales.ndjson"):
        (tmp_path / name).write_text("text\n\nstory,\n\nend\n" * 60)
        with pytest.raises(ValueError, match=f"{name} has rows of texts"):
            load_corpus(tmp_path / name)
    with pytest.raises(ValueError, match=r"UP\.CSV cannot be read: .* rename it to UP\.csv"):
        load_corpus(f"hf:{tmp_path / 'UP.CSV'}")
    (tmp_path / "about.csv.txt").write_text("\n\n".join(f"tale {i}" for i in range(60)))
    assert len(load_corpus(tmp_path / "about.csv.txt").documents) == 60


def test_a_folder_of_save_to_disk_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_list([{"prompt": "Q", "completion": "A"}] * 3)
    data.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(train=data, test=data.take(2)).save_to_disk(tmp_path / "two")
    names = {"one": 3, "one@train": 3, "two": 3, "two@test": 2}
    found = {name: len(load_examples(f"hf:{tmp_path}/{name}").conversations) for name in names}
    assert found == names
    with pytest.raises(ValueError, match="two cannot be read: 'dev' is none of its splits, train"):
        load_examples(f"hf:{tmp_path}/two@dev")


def test_a_line_of_spaces_is_blank(tmp_path):
    path = tmp_path / "tales.txt"
    path.write_text("\n \t\n".join(f"tale {i}\nsecond line" for i in range(60)))
    assert len(load_corpus(path).documents) == 60


def test_what_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown corpus 'pydoc': it is not"):
        load_corpus("pydoc")
    short = tmp_path / "short.txt"
    short.write_text("only one document")
    with pytest.raises(ValueError, match="has 1 documents"):
        load_corpus(str(short))


def test_any_text_survives_the_tokenizer(pydocs):
    tokenizer = train_tokenizer(pydocs)
    assert tokenizer.get_vocab_size() == 2048
    for text in ("def f(x):\n\treturn x  # λ‖☃", "  two  spaces ", pydocs.validation[0]):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_a_tokenizer_is_trained_once_and_never_on_validation_text(cache, monkeypatch):
    corpus = Corpus("small", tuple(f"document {i} of a small corpus" for i in range(100)))
    first = train_tokenizer(corpus, vocab_size=300)
    monkeypatch.setattr(Corpus, "train", property(lambda self: pytest.fail("trained again")))
    assert train_tokenizer(corpus, vocab_size=300).to_str() == first.to_str()
    unseen = Corpus("small", (*corpus.documents, *corpus.validation))
    monkeypatch.undo()
    monkeypatch.setenv("KDLAB_CACHE", str(cache / "other"))
    assert train_tokenizer(unseen, vocab_size=300).to_str() == first.to_str()


def test_a_text_that_fills_no_vocabulary_is_told(cache):
    corpus = Corpus("small", tuple(f"document {i} of a small corpus" for i in range(100)))
    for _ in ("trained", "from the cache"):
        with pytest.warns(UserWarning, match="small gives [0-9]+ entries, not 2,000") as found:
            tokenizer = train_tokenizer(corpus, vocab_size=2000)
        assert found[0].filename == __file__
    assert 257 < tokenizer.get_vocab_size() < 2000


def test_blocks_hold_the_documents_in_order_with_ends_between(pydocs):
    tokenizer = train_tokenizer(pydocs)
    documents = pydocs.validation[:3]
    data = PackedDataset(documents, tokenizer, block_size=16)
    stream = torch.cat([data[i]["input_ids"] for i in range(len(data))])
    expected = []
    for document in documents:
        expected += [*tokenizer.encode(document).ids, tokenizer.token_to_id(END_OF_TEXT)]
    assert stream.tolist() == expected[: len(stream)]
    assert 0 <= len(expected) - len(stream) < 16
    assert torch.equal(data[1]["labels"], data[1]["input_ids"])


def test_too_little_text_is_refused(pydocs):
    with pytest.raises(ValueError, match="tokens do not fill a block of 128"):
        PackedDataset(["short"], train_tokenizer(pydocs))


def test_a_cache_that_cannot_be_written_to_is_a_sentence_with_the_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    places = [tmp_path / "file", tmp_path / "file/within"]
    if os.name == "posix":
        places.append(Path("/proc/kdlab" if Path("/proc").exists() else "/dev/null"))
    for place in places:
        monkeypatch.setenv("KDLAB_CACHE", str(place))
        with pytest.raises(OSError, match=r"cannot write to .*set KDLAB_CACHE to a folder"):
            load_corpus("pydocs")


def test_a_corpus_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"%PDF \x80")
    with pytest.raises(ValueError, match=r"scan.pdf is not UTF-8 text: invalid start byte"):
        load_corpus(str(path))


def test_a_data_set_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text('{"text": "x"}\n{"text": \n')
    with pytest.raises(ValueError, match=r"the data set .*data cannot be read: \S"):
        load_corpus(f"hf:{tmp_path / 'data'}")
    with pytest.raises(ValueError, match="hf: needs the name of a data set after it"):
        load_corpus("hf:")


def test_in_a_notebook_a_corpus_and_a_history_are_one_line(pydocs):
    """What the last line of a cell returns is shown: a corpus was megabytes."""
    found = [pydocs, Examples.of([{"prompt": "a", "completion": "b" * 999}]), History([{}] * 999)]
    assert [repr(each) for each in found] == [
        "Corpus(name='pydocs', validation_percent=10)",
        "Examples(name='examples', validation_percent=10)",
        "History(999 steps, 0 evaluations)",
    ]


def test_a_corpus_may_be_named_by_a_path(tmp_path):
    path = tmp_path / "owls.txt"
    path.write_text("\n\n".join(f"{i} owls" for i in range(60)))
    assert load_corpus(path).sha256 == load_corpus(str(path)).sha256


def test_a_tokenizer_of_transformers_gives_the_same_blocks(pydocs):
    """Of both kinds: over the tokenizers library, and in Python."""
    transformers = pytest.importorskip("transformers")
    own = train_tokenizer(pydocs, 400)
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=own)
    texts = pydocs.validation[:3]
    found, expected = (PackedDataset(texts, each, 16) for each in (theirs, own))
    assert torch.equal(found.blocks, expected.blocks)
    in_python = transformers.ByT5Tokenizer()
    blocks = PackedDataset(["an owl"], in_python, 7, end_of_text="</s>").blocks
    assert in_python.decode(blocks[0]) == "an owl</s>"


def test_a_tokenizer_that_was_saved_as_it_cuts_and_pads_does_neither(pydocs):
    own, texts = train_tokenizer(pydocs, 400), pydocs.validation[:3]
    cutting = Tokenizer.from_str(own.to_str())
    cutting.enable_truncation(5)
    cutting.enable_padding(length=8)
    found, expected = (PackedDataset(texts, each, 16) for each in (cutting, own))
    assert torch.equal(found.blocks, expected.blocks)
    assert found.tokenizer_sha256 == expected.tokenizer_sha256
    assert cutting.truncation["max_length"] == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"documents": "one text"}, r"documents are one text.*: \[text\]"),
        ({"documents": {"text": ["a"]}}, "a dict, which gives names: give the column of texts"),
        ({"documents": SimpleNamespace(columns=[], iloc=0)}, "SimpleNamespace, which gives names"),
        ({"tokenizer": SimpleNamespace(tokenizer=1)}, r"SimpleNamespace.*; give its \.tokenizer"),
        ({"block_size": 1}, "block_size must be at least 2, got 1"),
        ({"block_size": 2.5}, "block_size must be a whole number"),
        ({"end_of_text": None}, "has no end_of_text to end a document with; name a token"),
    ],
)
def test_what_makes_no_blocks_is_refused(pydocs, changes, message):
    given = {"documents": ["a text"], "tokenizer": train_tokenizer(pydocs, 400), "block_size": 4}
    with pytest.raises(ValueError, match=message):
        PackedDataset(**given | changes)


@pytest.mark.parametrize("form", [iter, list, np.array, lambda texts: map(str, texts)])
def test_a_corpus_keeps_its_texts_whatever_they_came_in(form):
    texts = tuple(f"tale {i}" for i in range(60))
    corpus = Corpus("tales", form(texts))
    assert corpus == Corpus("tales", texts)
    assert hash(corpus) == hash(Corpus("tales", texts))
    assert 0 < len(corpus.train) < 60
    with pytest.raises(ValueError, match="documents are a dict, which gives names"):
        Corpus("tales", {"text": texts})


WORDS = {"owl": 0, "?": 1, END_OF_TEXT: 2, "an": 3}


@pytest.mark.parametrize(
    "model",
    [
        models.WordLevel(WORDS, unk_token="?"),
        models.WordPiece(WORDS, unk_token="?"),
        models.Unigram([(word, -1.0) for word in WORDS], unk_id=1),
    ],
    ids=lambda model: type(model).__name__,
)
def test_it_is_told_how_much_of_a_text_the_tokenizer_does_not_know(model):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["?", END_OF_TEXT])
    with pytest.warns(UserWarning, match=r"of 6 tokens of the text, 2 are '\?': the tokenizer"):
        PackedDataset(["an owl zebra", "lion"], tokenizer, 2)
    assert len(PackedDataset(["an owl ?", "?"], tokenizer, 2)) == 3  # the text itself says so
