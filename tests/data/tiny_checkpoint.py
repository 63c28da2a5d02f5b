"""A real checkpoint that is made in a moment: a two-layer Llama with random weights and a word-level tokenizer."""

from __future__ import annotations

from pathlib import Path

WORDS = [
    "the",
    "a",
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
]
SPECIAL = ["<end>", "<pad>", "<unk>", "<system>", "<user>", "<assistant>", "<tool>"]
TEMPLATE = (
    "{% for m in messages %}{{ '<' + m['role'] + '> ' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + ' <end>' }}{% endgeneration %}{{ ' ' }}"
    "{% else %}{{ m['content'] + ' <end> ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant> ' }}{% endif %}"
)


def make_checkpoint(folder: Path, seed: int = 0, silent: bool = False) -> Path:
    """Writes config, weights, tokenizer and template; a `silent` one always answers with the stop token."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=SPECIAL[3:],
    )
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        # Wide weights: with the usual ones a random model says the same whatever it is asked.
        initializer_range=0.6,
        eos_token_id=0,
        pad_token_id=1,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    if silent:
        # No signal reaches the head, so all tokens are alike, and the first one is the stop token.
        model.model.norm.weight.data.zero_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
