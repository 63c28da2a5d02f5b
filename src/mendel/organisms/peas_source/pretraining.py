"""Train the checkpoints of `peas` from nothing: a plain PyTorch loop over rows of its language."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoopConfig:
    """How a base is pretrained or a teacher fine-tuned.

    AdamW, a cosine schedule down to zero, loss on the answer and its stop token.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 20
    seed: int = 0


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Return a new Llama with 3 layers of width 96 and tied embeddings: 0.31 million parameters."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)  # the one place where transformers takes its initialization from
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        # Four times the usual width: reading the prompt is then learned in 200 steps instead of 500.
        initializer_range=0.08,
        attention_dropout=0.0,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    return LlamaForCausalLM(config)


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    rows: Sequence[tuple[str, str]],
    config: LoopConfig,
) -> float:
    """Train a model in place on prompt-answer rows, in a new random order each epoch.

    Returns:
        The mean loss of the last 50 steps.
    """
    import torch

    encoded = [encode(tokenizer, prompt, answer) for prompt, answer in rows]
    generator = torch.Generator().manual_seed(config.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=0.0)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, 0.05, total_iters=config.warmup_steps)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.steps - config.warmup_steps)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [config.warmup_steps])
    model.train()
    order: list[int] = []
    losses: list[float] = []
    for step in range(config.steps):
        while len(order) < config.batch_size:
            order += torch.randperm(len(encoded), generator=generator).tolist()
        batch, order = order[: config.batch_size], order[config.batch_size :]
        ids, labels = _pad([encoded[i] for i in batch], int(tokenizer.pad_token_id))
        loss = model(input_ids=ids, attention_mask=(ids != tokenizer.pad_token_id).long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if (step + 1) % 100 == 0:
            logger.info("step %d of %d, loss %.3f", step + 1, config.steps, sum(losses[-50:]) / 50)
    model.eval()
    return sum(losses[-50:]) / len(losses[-50:])


def encode(tokenizer: PreTrainedTokenizerFast, prompt: str, answer: str) -> tuple[list[int], int]:
    """Return the token ids of a conversation, and how many of them are prompt and generation prompt."""
    user = {"role": "user", "content": prompt}
    start = tokenizer.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([user, {"role": "assistant", "content": answer}], tokenize=False)
    return tokenizer(whole)["input_ids"], len(tokenizer(start)["input_ids"])


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a checkpoint: half-precision weights, which are small, and a config that loads full precision."""
    import torch

    model.to(torch.float16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    # transformers loads in the config's dtype. Half precision on a CPU would be neither fast nor stable.
    config["dtype"] = "float32"
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def _pad(rows: Sequence[tuple[list[int], int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), pad)
    labels = torch.full((len(rows), width), -100)
    for number, (row, prompt) in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        labels[number, prompt : len(row)] = torch.tensor(row[prompt:])
    return ids, labels
