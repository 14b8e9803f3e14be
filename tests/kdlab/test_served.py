"""What servers return becomes the store that the teacher itself would have written."""

import importlib
import json
import math
import re

import pytest
import torch

from kdlab import (
    ChatDataset,
    CombinedObjective,
    DistillationTrainer,
    TinyGPT,
    TopKTeacher,
    TrainConfig,
    reckoning,
    train_chat_tokenizer,
    write_served_store,
    write_topk_store,
)
from kdlab.served import TokenIds

transformers = pytest.importorskip("transformers")
bytes_to_unicode = importlib.import_module("transformers.convert_slow_tokenizer").bytes_to_unicode
K = 6


@pytest.fixture(scope="module")
def data():
    return ChatDataset(reckoning(200).conversations[:6], train_chat_tokenizer(reckoning(200), 400))


@pytest.fixture(scope="module")
def teacher(data):
    torch.manual_seed(1)
    model = TinyGPT("tiny-student", vocab_size=len(data.tokenizer))
    with torch.no_grad():
        model.lm_head.weight.mul_(20)
    return model.eval()


@torch.no_grad()
def positions(teacher, row):
    """The top k at each position but the last, and the tokens that follow."""
    log_p = teacher(row["input_ids"][None])[0, :-1].log_softmax(-1)
    return log_p.topk(K), log_p, row["input_ids"][1:].tolist()


def prompt_scores(teacher, row, _):
    top, log_p, following = positions(teacher, row)
    scores = [None]
    for n, token in enumerate(following):
        ids = [*top.indices[n].tolist(), token]
        scores.append({str(i): {"logprob": log_p[n, i].item(), "rank": 1} for i in ids})
    return {"choices": [{"text": ""}], "prompt_logprobs": scores}


def chat(teacher, row, tokenizer, wrap=lambda body: {"response": {"body": body}}):
    top, log_p, following = positions(teacher, row)
    begin = int((row["labels"] != -100).nonzero()[0]) - 1
    content = []
    for n in range(begin, len(following)):

        def entry(i, n=n):
            raw = raw_bytes(tokenizer, i)
            token = raw.decode(errors="replace")
            return {"token": token, "bytes": list(raw), "logprob": log_p[n, i].item()}

        top_logprobs = [entry(i) for i in top.indices[n].tolist()]
        content.append(entry(following[n]) | {"top_logprobs": top_logprobs})
    return wrap({"choices": [{"message": {}, "logprobs": {"content": content}}]})


def completion(teacher, row, tokenizer):
    body = chat(teacher, row, tokenizer, wrap=lambda body: body)
    content = body["choices"][0]["logprobs"]["content"]

    def name(each):  # a part of a character, as servers write it
        whole = "\ufffd" not in each["token"]
        return each["token"] if whole else "bytes:" + "".join(f"\\x{b:02x}" for b in each["bytes"])

    listed = {
        "tokens": [name(each) for each in content],
        "token_logprobs": [each["logprob"] for each in content],
        "top_logprobs": [
            {name(one): one["logprob"] for one in each["top_logprobs"]} for each in content
        ],
    }
    return {"choices": [{"text": "", "logprobs": listed}]}


def llama_cpp(teacher, row, tokenizer):
    """Its own completions: as a chat completion's content, and with ids."""
    body = chat(teacher, row, tokenizer, wrap=lambda body: body)
    content = body["choices"][0]["logprobs"]["content"]
    ids = {tuple(raw_bytes(tokenizer, i)): i for i in range(len(tokenizer))}
    for each in content:
        for one in (each, *each["top_logprobs"]):
            one |= {"id": ids[tuple(one["bytes"])], "token": "\ufffd", "bytes": []}
    return {"content": "", "completion_probabilities": content}


def responses_api(teacher, row, tokenizer):
    body = chat(teacher, row, tokenizer, wrap=lambda body: body)
    logprobs = body["choices"][0]["logprobs"]["content"]
    said = {"type": "message", "content": [{"type": "output_text", "logprobs": logprobs}]}
    return {"error": None, "output": [{"type": "reasoning"}, said]}


def raw_bytes(tokenizer, i):
    token = tokenizer.convert_ids_to_tokens(i)
    if token in tokenizer.all_special_tokens:
        return token.encode()
    table = bytes_to_unicode()
    return bytes({letter: byte for byte, letter in table.items()}[c] for c in token)


@pytest.mark.parametrize("form", [prompt_scores, chat, completion, llama_cpp, responses_api])
def test_the_loss_from_a_server_is_that_of_the_teacher_s_own_store(data, teacher, tmp_path, form):
    lines = [json.dumps(form(teacher, row, data.tokenizer)) for row in data]
    (tmp_path / "served.jsonl").write_text("\n".join(lines) + "\n")
    report = write_served_store(tmp_path / "served.jsonl", data, tmp_path / "served.topk", k=K)
    assert report.k == K
    assert not report.unknown
    for row, ours in zip(data, report.rows, strict=True):
        assert row["input_ids"].equal(ours["input_ids"])
        assert row["labels"].equal(ours["labels"])
    write_topk_store(teacher, data, tmp_path / "own.topk", K)
    losses = []
    for name, rows in (("own", data), ("served", report.rows)):
        torch.manual_seed(0)
        student = TinyGPT("tiny-student", vocab_size=len(data.tokenizer))
        stored = TopKTeacher(tmp_path / f"{name}.topk", rows)
        config = TrainConfig(steps=2, batch_size=6, device="cpu")
        run = DistillationTrainer(student, stored, CombinedObjective(lam=0.5), config=config)
        losses.append(run.fit(rows).column("kd_loss"))
    assert losses[0] == pytest.approx(losses[1], rel=2e-2)


def test_listed_tokens_without_an_id_are_told_and_part_of_the_tail(data, teacher, tmp_path):
    response = chat(teacher, data[0], data.tokenizer)
    content = response["response"]["body"]["choices"][0]["logprobs"]["content"]
    lost = content[0]["top_logprobs"][0]
    lost.update(token="no such token", bytes=list(b"no such token"))
    (tmp_path / "s.jsonl").write_text(json.dumps(response))
    report = write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk")
    assert report.unknown == {"no such token": 1}
    assert "'no such token' for one, and are part of the tail" in str(report)


def said(log_prob):
    one = {"token": "1", "logprob": log_prob, "bytes": [49]}
    return {"choices": [{"logprobs": {"content": [one | {"top_logprobs": [one]}]}}]}


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("102", "line 2: custom_id 'row-0' follows 'row-1': .* sort the lines"),
        ("112", "line 2: custom_id 'row-1' follows 'row-1'"),
        ("023", "line 2: custom_id 'row-2' follows 'row-0'"),
        ("123", None),
        ("xyz", None),
    ],
)
@pytest.mark.parametrize("name", ["row-{}", "2026-05-01-{}", "{}.json"])
def test_a_batch_s_answers_belong_to_the_rows_that_asked(
    data, teacher, tmp_path, ids, message, name
):
    """What OpenAI's batches give back is in any order, and what failed is in another file."""
    lines = [
        json.dumps({"custom_id": name.format(i), **chat(teacher, row, data.tokenizer)})
        for i, row in zip(ids, data, strict=False)
    ]
    message = message and re.sub(r"row-(\d)", lambda found: name.format(found[1]), message)
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    if message is None:
        report = write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk")
        assert len(report.rows) == 3
    else:
        with pytest.raises(ValueError, match=message):
            write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk")


def test_what_failed_may_be_left_out_of_the_data_too(data, teacher, tmp_path):
    answered = ChatDataset([data.conversations[i] for i in (0, 2)], data.tokenizer)
    lines = [
        json.dumps({"custom_id": f"row-{i}", **chat(teacher, data[i], data.tokenizer)})
        for i in (0, 2)
    ]
    (tmp_path / "s.jsonl").write_text("\n".join(lines))
    report = write_served_store(tmp_path / "s.jsonl", answered, tmp_path / "s.topk")
    assert [len(row["input_ids"]) for row in report.rows] == [
        len(data[i]["input_ids"]) for i in (0, 2)
    ]


def test_another_teacher_s_store_is_not_replaced(data, teacher, tmp_path):
    path, store = tmp_path / "s.jsonl", tmp_path / "s.topk"
    for log_prob in (-0.5, -0.5, -0.7):
        scores = [None, *({str(i): log_prob} for i in data[0]["input_ids"][1:].tolist())]
        path.write_text(json.dumps({"prompt_logprobs": scores}))
        if log_prob == -0.5:
            write_served_store(path, data, store)
            written = store.read_bytes()
        else:
            with pytest.raises(ValueError, match=r"s\.topk holds another store"):
                write_served_store(path, data, store)
    assert store.read_bytes() == written


def test_an_answer_to_nothing_begins_at_its_second_token(data, tmp_path):
    """No token is before the first, so no position of the store is the first token's."""
    asked = ChatDataset([{"prompt": "", "completion": "111"}], data.tokenizer)
    path, one = tmp_path / "s.jsonl", said(-0.5)["choices"][0]["logprobs"]["content"][0]
    path.write_text(json.dumps({"choices": [{"logprobs": {"content": [one] * 3}}]}))
    report = write_served_store(path, asked, tmp_path / "s.topk")
    assert report.positions == 2
    assert report.rows[0]["labels"].tolist()[0] == -100
    stored = TopKTeacher(tmp_path / "s.topk", report.rows).read(torch.tensor([0]))
    assert stored.ids.shape == (1, 2, 1)
    path.write_text(json.dumps({"choices": [{"logprobs": {"content": [one]}}]}))
    with pytest.raises(ValueError, match="no token of an answer to learn"):
        write_served_store(path, asked, tmp_path / "t.topk")


@pytest.mark.parametrize("listed", [{}, {"top_logprobs": None}])
def test_a_token_that_lists_none_beside_it_lists_itself(data, tmp_path, listed):
    one = {"token": "1", "logprob": -0.5, "bytes": [49], **listed}
    (tmp_path / "s.jsonl").write_text(json.dumps({"choices": [{"logprobs": {"content": [one]}}]}))
    assert write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk").k == 1


def test_what_is_asked_of_a_store_is_told(data, teacher, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(prompt_scores(teacher, data[0], None)))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        write_served_store(path, data, tmp_path / "s.topk", k=0)
    for temperature in (-1.0, math.nan):
        with pytest.raises(ValueError, match="temperature must be a positive, finite number"):
            write_served_store(path, data, tmp_path / "s.topk", temperature=temperature)
    with pytest.raises(ValueError, match=r"vocabulary is 5, but a response lists the token \d+"):
        write_served_store(path, data, tmp_path / "s.topk", vocabulary=5)
    assert not (tmp_path / "s.topk").exists()
    with pytest.raises(TypeError, match="data must be a ChatDataset; got list"):
        write_served_store(path, data.conversations, tmp_path / "s.topk")
    path.write_text(json.dumps([prompt_scores(teacher, data[0], None)]))
    with pytest.raises(
        ValueError, match=r"line 1: .* a file of JSON lines has one response a line"
    ):
        write_served_store(path, data, tmp_path / "s.topk")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r | {"prompt_logprobs": r["prompt_logprobs"][:-1]}, r"line 2: it scores \d+"),
        (
            lambda r: r | {"prompt_logprobs": [None, *[{"0": {"logprob": 0}}] * 99]},
            "give the server data",
        ),
        (
            lambda r: r | {"prompt_logprobs": [None, {}, *r["prompt_logprobs"][2:]]},
            "line 2: token 1: the server scored another text",
        ),
        (lambda r: {"choices": [{"text": "x"}]}, "line 2: it lists no log-probabilities; ask"),
        (lambda r: {"choices": [{"logprobs": {"content": None}}]}, "lists no log-probabilities"),
        (lambda r: {"error": {"message": "busy"}}, "line 2: the server answered with an error"),
        (lambda r: [r], "line 2: it is of type list"),
        (
            lambda r: {
                "choices": [
                    {"logprobs": {"content": [{"token": "�", "logprob": -1, "bytes": None}]}}
                ]
            },
            "line 2: token 0 of the answer: '�' has no id",
        ),
        (
            lambda r: (
                r
                | {
                    "prompt_logprobs": [
                        None,
                        *[
                            {str(i): {"logprob": 0.0} for i in (*s, 3, 5)}
                            for s in r["prompt_logprobs"][1:]
                        ],
                    ]
                }
            ),
            "line 2: token 1: the tokens .* have a mass of",
        ),
        (lambda r: said(math.nan), "line 2: token 0 of the answer: nan is no natural log-prob"),
        (lambda r: said(0.3), "line 2: token 0 of the answer: 0.3 is no natural log-prob"),
        (lambda r: said("-1"), "line 2: token 0 of the answer: '-1' is no natural log-prob"),
        (lambda r: {"choices": said(-1)["choices"] * 2}, "line 2: it has 2 choices; ask for n=1"),
        (
            lambda r: {"completion_probabilities": [{"content": "a", "probs": [{"prob": 0.5}]}]},
            "line 2: it lists no log-probabilities",
        ),
    ],
)
def test_what_a_response_lacks_is_told_with_its_line(data, teacher, tmp_path, change, message):
    good = prompt_scores(teacher, data[0], None)
    bad = change(prompt_scores(teacher, data[1], None))
    (tmp_path / "s.jsonl").write_text(f"{json.dumps(good)}\n{json.dumps(bad)}\n")
    with pytest.raises(ValueError, match=message):
        write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk")


def test_a_line_ends_where_json_says_so(data, teacher, tmp_path):
    """Servers write what they listed as it is; U+2028 and U+0085 end a line for Python alone."""
    lines = []
    for row in data:
        response = prompt_scores(teacher, row, None) | {"id": "a\u2028b\u0085c"}
        lines.append(json.dumps(response, ensure_ascii=False))
    (tmp_path / "s.jsonl").write_bytes("\r\n".join(lines).encode())
    report = write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk")
    assert len(report.rows) == len(data)


def test_files_that_are_no_responses_are_told(data, tmp_path):
    for text, message in (("", "no responses"), ("{", "line 1: it is no JSON")):
        (tmp_path / "s.jsonl").write_text(text)
        with pytest.raises(ValueError, match=message):
            write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk")


def test_a_label_that_the_server_said_nothing_about_does_not_count_as_nothing(
    data, teacher, tmp_path
):
    (tmp_path / "s.jsonl").write_text(json.dumps(chat(teacher, data[0], data.tokenizer)))
    report = write_served_store(tmp_path / "s.jsonl", data, tmp_path / "s.topk", k=2)
    rows = [row | {"labels": row["input_ids"]} for row in report.rows]  # the prompt counts too
    student = TinyGPT("tiny-student", vocab_size=len(data.tokenizer))
    stored = TopKTeacher(tmp_path / "s.topk", rows)
    config = TrainConfig(steps=1, batch_size=1, device="cpu", linear_objective=False)
    run = DistillationTrainer(student, stored, CombinedObjective(), config=config)
    with pytest.raises(ValueError, match="says nothing about a position that has a label"):
        run.fit(rows)


def test_every_token_of_a_tokenizer_is_found_by_its_bytes(data):
    ids = TokenIds(data.tokenizer)
    for i in range(len(data.tokenizer)):
        assert ids.find(raw_bytes(data.tokenizer, i)) == i
        assert ids.find(f"token_id:{i}") == i
    assert ids.find("token_id:99999") is None


def test_pieces_of_sentencepiece_are_found_too():
    from tokenizers import Tokenizer, models

    pieces = ["<unk>", "<0x41>", "<0xE2>", "A", "▁the", "the", "</s>"]
    backend = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, []))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")
    ids = TokenIds(tokenizer)
    asked = ("A", " the", "the", "</s>", b"\xe2", "B")
    assert [ids.find(token) for token in asked] == [3, 4, 5, 6, 2, None]
