"""Models that also read images: what their processor gives of one is a field of its row."""

import copy

import pytest
import torch

from kdlab import CombinedObjective, DistillationTrainer, TrainConfig, evaluate
from tests.kdlab.tiny_models import SHAPE

transformers = pytest.importorskip("transformers")
IMAGE = 40  # the token in whose places an image stands, four in all
SEES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
SEES |= {"num_attention_heads": 2, "image_size": 8, "patch_size": 4}


def llava():
    return transformers.LlavaConfig(
        text_config={"model_type": "llama", **SHAPE},
        vision_config={"model_type": "clip_vision_model", "projection_dim": 16, **SEES},
        image_token_index=IMAGE,
    )


def qwen2_vl():
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    eye = {"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "patch_size": 4}
    return transformers.Qwen2VLConfig(
        text_config=SHAPE | {"rope_parameters": rope},
        vision_config=eye | {"mlp_ratio": 1},
        image_token_id=IMAGE,
        video_token_id=41,
        vision_start_token_id=42,
        vision_end_token_id=43,
    )


# What a row has beside its tokens, of one image; and the same as the model itself takes it.
OF_IMAGE = {
    llava: lambda ids: {"pixel_values": torch.randn(3, 8, 8)},
    qwen2_vl: lambda ids: {
        "pixel_values": torch.randn(16, 96),
        "image_grid_thw": torch.tensor([1, 4, 4]),
        "mm_token_type_ids": (ids == IMAGE).long(),
    },
}


def model(config, seed):
    torch.manual_seed(seed)
    found = transformers.AutoModelForImageTextToText.from_config(config())
    with torch.no_grad():
        for weight in found.parameters():
            if weight.dim() > 1:
                weight.mul_(4)
    return found.eval()


def data(config):
    generator = torch.Generator().manual_seed(0)
    for i in range(2):
        words = torch.randint(3, 39, (5 + i,), generator=generator)
        ids = torch.cat([torch.tensor([1, 42, *[IMAGE] * 4, 43]), words])
        labels = ids.clone()
        labels[:7] = -100
        torch.manual_seed(i)
        yield {"input_ids": ids, "labels": labels} | OF_IMAGE[config](ids)


def of_its_own(found, row, config):
    """The log-probabilities of a model in float64, called as it is, where labels are."""
    inputs = {name: value[None] for name, value in row.items() if name != "labels"}
    if config is qwen2_vl:
        inputs["pixel_values"] = row["pixel_values"]
    inputs["pixel_values"] = inputs["pixel_values"].double()
    with torch.no_grad():
        logits = copy.deepcopy(found).double()(**inputs).logits[0, :-1]
    return logits.log_softmax(-1)[row["labels"][1:] != -100]


@pytest.mark.parametrize("config", OF_IMAGE, ids=lambda config: config.__name__)
def test_an_image_is_read_with_its_row(config):
    rows, student, teacher = list(data(config)), model(config, 0), model(config, 1)
    lm, kd = [], []
    for row in rows:
        q, p = (of_its_own(each, row, config) for each in (student, teacher))
        words = row["labels"][row["labels"] != -100]
        lm.append(-q.gather(1, words[:, None])[:, 0])
        kd.append((p.exp() * (p - q)).sum(-1))
    expected = [float(torch.cat(each).mean()) for each in (lm, kd)]
    found = evaluate(student, rows, teacher)
    assert [found.lm_loss, found.kl_to_teacher] == pytest.approx(expected, rel=1e-5)
    trainer = DistillationTrainer(
        student,
        teacher,
        CombinedObjective(),
        config=TrainConfig(steps=1, batch_size=2, device="cpu"),
    )
    (record,) = trainer.fit(rows).train
    assert [record["lm_loss"], record["kd_loss"]] == pytest.approx(expected, rel=1e-5)
    assert trainer.path == "linear"
