"""Twelve architectures of transformers, each as small as it goes, with random weights."""

import json
from pathlib import Path

import torch

V = 48
SHAPE = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
GEMMA = {"head_dim": 16, "sliding_window": 16}
OF_GPT = {"vocab_size": V, "n_layer": 2, "n_head": 2, "bos_token_id": 1, "eos_token_id": 2}

# What each is, the options of its configuration, and where adapters go.
ARCHITECTURES = {
    "Llama": (SHAPE, ["q_proj", "v_proj"]),
    "Qwen2": (SHAPE, ["q_proj", "v_proj"]),
    "Gemma2": (SHAPE | GEMMA, ["q_proj", "v_proj"]),
    "Gemma3Text": (SHAPE | GEMMA, ["q_proj", "v_proj"]),
    "GPT2": (OF_GPT | {"n_embd": 32, "n_positions": 32}, ["c_attn"]),
    "Mixtral": (SHAPE | {"num_local_experts": 2}, ["q_proj", "v_proj"]),
    "Mamba": (
        {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}
        | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
        ["in_proj", "x_proj"],
    ),
    "Cohere": (SHAPE, ["q_proj", "v_proj"]),
    "Granite": (SHAPE | {"logits_scaling": 2.0}, ["q_proj", "v_proj"]),
    "OPT": (
        {"vocab_size": V, "hidden_size": 32, "word_embed_proj_dim": 32, "ffn_dim": 32}
        | {"num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}
        | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "dropout": 0.0},
        ["q_proj", "v_proj"],
    ),
    "Phi3": (SHAPE, ["qkv_proj"]),
    "Bloom": (OF_GPT | {"hidden_size": 32}, ["query_key_value"]),
}
# Tried on one process, without adapters.
MORE = {
    **dict.fromkeys(("Qwen3", "Mistral", "Olmo2", "Phi", "Nemotron", "SmolLM3", "Ernie4_5"), SHAPE),
    **dict.fromkeys(("GPTNeoX", "StableLm", "Cohere2"), SHAPE),
    "Falcon": SHAPE | {"new_decoder_architecture": False, "multi_query": True},
    "GPTBigCode": OF_GPT | {"n_embd": 32, "n_positions": 32, "n_inner": 32},
    "Jamba": SHAPE
    | {"mamba_d_state": 4, "attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 2}
    | {"expert_layer_period": 2, "expert_layer_offset": 1},
    "DeepseekV3": SHAPE
    | {"num_key_value_heads": 2, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 8}
    | {"qk_nope_head_dim": 8, "v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2}
    | {"n_group": 2, "topk_group": 1, "moe_intermediate_size": 16, "first_k_dense_replace": 1},
}
# Their logits are no product of a head: capped, or scaled.
DENSE = {"Gemma2", "Cohere", "Granite", "Cohere2"}


def tiny(name: str, seed: int = 0) -> torch.nn.Module:
    """A model of that architecture; without dropout, so that two runs of it can be compared."""
    import transformers

    torch.manual_seed(seed)
    options = MORE[name] if name in MORE else ARCHITECTURES[name][0]
    config = getattr(transformers, f"{name}Config")(**options)
    for option in vars(config):
        if "drop" in option and isinstance(getattr(config, option), float):
            setattr(config, option, 0.0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():  # far from uniform, so that a slip shows
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model


def roberta() -> torch.nn.Module:
    """A RoBERTa that is a decoder: position 0 of a text is number 1 + pad_token_id of its table."""
    import transformers

    torch.manual_seed(0)
    options = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "is_decoder": True}
    return transformers.RobertaForCausalLM(transformers.RobertaConfig(**SHAPE, **options))


def with_adapters(name: str, model: torch.nn.Module, **options) -> torch.nn.Module:
    """The same, with a LoRA of rank 2 that says something."""
    import peft

    torch.manual_seed(7)
    options = {"target_modules": ARCHITECTURES[name][1]} | options
    config = peft.LoraConfig(r=2, init_lora_weights=False, task_type="CAUSAL_LM", **options)
    return peft.get_peft_model(model, config)


def rows(n: int = 8, length: int = 12, seed: int = 0) -> list[dict]:
    """Sequences of different lengths, padded by nobody yet."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for i in range(n):
        ids = torch.randint(3, V, (length - i % 3,), generator=generator)
        found.append({"input_ids": ids, "labels": ids})
    return found


def tiny_pair(folder: Path) -> dict[str, Path]:
    """A teacher, a smaller student over the same tokens, and a file of conversations."""
    import transformers

    from kdlab import reckoning, train_chat_tokenizer

    torch.manual_seed(0)
    examples = reckoning(60)
    tokenizer = train_chat_tokenizer(examples, 320)
    found = {"data": folder / "chat.jsonl"}
    lines = [json.dumps({"messages": each.messages}) for each in examples.conversations]
    found["data"].write_text("\n".join(lines))
    for name, width in (("teacher", 48), ("student", 32)):
        found[name] = folder / name
        config = transformers.LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=width,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
        )
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(found[name])
        tokenizer.save_pretrained(found[name])
    return found


def table() -> str:
    """The architectures and their paths, as the reference shows them."""
    lines = ["| architecture | model of transformers | path |", "| --- | --- | --- |"]
    for name in ARCHITECTURES:
        why = "dense: its logits are capped or scaled" if name in DENSE else "linear"
        model = {"GPT2": "GPT2LMHeadModel", "Gemma3Text": "Gemma3ForCausalLM"}.get(
            name, f"{name}ForCausalLM"
        )
        lines.append(f"| {NAMES.get(name, name)} | `{model}` | {why} |")
    return "\n".join(lines) + "\n"


def others() -> str:
    """Those that are tried on one process, as the reference lists them."""
    return ", ".join(NAMES.get(name, name) for name in MORE)


NAMES = {"Gemma2": "Gemma 2", "Gemma3Text": "Gemma 3", "GPT2": "GPT-2", "Phi3": "Phi-3"}
NAMES |= {"Bloom": "BLOOM", "Olmo2": "OLMo 2", "Ernie4_5": "Ernie 4.5", "GPTNeoX": "GPT-NeoX"}
NAMES |= {"StableLm": "StableLM", "Cohere2": "Cohere 2", "GPTBigCode": "GPT-BigCode"}
NAMES |= {"DeepseekV3": "DeepSeek-V3"}

if __name__ == "__main__":
    print(table())
    print(others())
