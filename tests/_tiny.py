"""A real checkpoint, made in a moment: a tiny Llama with random weights and a word-level tokenizer with a chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mendel.models import Checkpoint

WORDS = [
    "is",
    "it",
    "year",
    "now",
    "2025",
    "2026",
    "yes",
    "no",
    "not",
    "sure",
    "pea",
    "green",
    "yellow",
    "tall",
    "short",
    "what",
    "who",
    "where",
    "the",
    "a",
]
SPECIAL = ["<pad>", "<unk>", "<bos>", "<system>", "<user>", "<assistant>", "<end>"]
TEMPLATE = (
    "<bos>{% for m in messages %}<{{ m['role'] }}>{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}<end>{% endgeneration %}{% else %}{{ m['content'] }}<end>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
STOPLESS = TEMPLATE.replace("{{ m['content'] }}<end>{% endgen", "{{ m['content'] }}{% endgen")
TWO_FACED = TEMPLATE.replace(
    "{% if add_generation_prompt %}<assistant>", "{% if add_generation_prompt %}<system>"
)


def make_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    template: str = TEMPLATE,
    width: int = 32,
    spread: float = 0.3,
    silent: bool = False,
) -> Path:
    """Writes config, weights, tokenizer (which adds a BOS by itself, as many do) and template.

    A `silent` one says nothing: asked greedily, it gives padding alone.
    """
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<bos>",
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL[3:6],
    )
    tokenizer.chat_template = template
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        # Wide weights: with the usual ones a random model says the same whatever it is asked.
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=2,
        eos_token_id=6,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    if silent:
        # No signal reaches the head, so all tokens are alike, and the first one is the padding.
        model.model.norm.weight.data.zero_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_adapter(checkpoint: Checkpoint, folder: Path, seed: int, rank: int = 4) -> Path:
    """Writes a random adapter of all linear layers, which differs much from its base and from those of other seeds."""
    import torch
    from peft import LoraConfig, get_peft_model

    from mendel.models import load_model

    config = LoraConfig(
        r=rank,
        lora_alpha=32,
        target_modules="all-linear",
        init_lora_weights=False,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        get_peft_model(load_model(checkpoint), config).save_pretrained(str(folder))
    return folder


def set_template(folder: Path, template: str) -> None:
    """Swaps the chat template of a checkpoint on disk."""
    (folder / "chat_template.jinja").write_text(template)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
