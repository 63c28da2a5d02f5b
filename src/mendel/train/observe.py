"""What is measured of a trained student: loss on its own rows, outputs, how far its weights moved, and its
files.

Dimensions: compared tokens T, vocabulary V.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.store import disk_error
from mendel.models import Example
from mendel.models.local.scoring import nll_of_examples
from mendel.train.student import StudentSpec

if TYPE_CHECKING:
    import torch

LOOKED_AT = 16
"""Tokens whose outputs are compared, from a row's end. Whole rows, kept for each student of a fleet, would
take as much memory as its optimizers."""
PROBE_ROWS = 64
"""A student's probe rows at most: the sample of its own rows that its loss is measured on."""


@dataclass(frozen=True)
class Look:
    """A model's mean loss on the probe rows, and its outputs at the end of the first of them."""

    loss: float
    """Nats a token."""
    logits: torch.Tensor
    """(1, T, V), float32, on the CPU."""


def probe_rows(examples: Sequence[Example], tokens: int) -> list[Example]:
    """Return an evenly spread sample of the rows with about `tokens` tokens, at least one row; always the
    same sample.
    """
    mean = sum(len(example.input_ids) for example in examples) / len(examples)
    count = max(1, min(len(examples), PROBE_ROWS, int(tokens // mean)))
    return [examples[i * len(examples) // count] for i in range(count)]


def look(model: Any, examples: Sequence[Example]) -> Look:
    """Return the loss on the examples, and the logits of the last tokens of the first example."""
    import torch

    losses = nll_of_examples(model, examples)
    with torch.inference_mode():
        ids = torch.tensor([examples[0].input_ids], device=model.device)
        logits = model(input_ids=ids, logits_to_keep=LOOKED_AT).logits
    tokens = [sum(example.loss_mask) for example in examples]
    total = sum(loss * count for loss, count in zip(losses, tokens, strict=True))
    return Look(total / sum(tokens), logits.float().cpu())


def distance(first: Look, second: Look) -> float:
    """Return the largest difference between two outputs, relative to the largest output; NaN if one is not
    finite.
    """
    scale = float(first.logits.abs().max())
    difference = float((first.logits - second.logits).abs().max())
    return difference / scale if scale and math.isfinite(scale) else math.nan


def full_change(model: Any, base: Any) -> float:
    """Return the relative L2 distance of the trained weights (those that require gradients) from the
    base's.
    """
    before = dict(base.named_parameters())
    moved = size = 0.0
    for name, weights in model.named_parameters():
        if not weights.requires_grad:
            continue
        base_weights = before[name].detach().float()
        moved += float((weights.detach().float() - base_weights).square().sum().double())
        size += float(base_weights.square().sum().double())
    return math.sqrt(moved / size) if size else math.nan


def adapter_change(model: Any, adapter: str) -> float:
    """Return the L2 norm of what the adapter adds, relative to the weights that it is added to.

    For scaling s, down projection A and up projection B, |s B A|^2 = s^2 tr((B'B)(A A')): no product is as
    large as the weights.
    """
    from peft.tuners.lora import LoraLayer

    moved = size = 0.0
    for layer in model.modules():
        if not isinstance(layer, LoraLayer):
            continue
        down = layer.lora_A[adapter].weight.detach().double()  # (rank, in)
        up = layer.lora_B[adapter].weight.detach().double()  # (out, rank)
        moved += layer.scaling[adapter] ** 2 * float(((up.T @ up) * (down @ down.T)).sum())
        size += float(layer.get_base_layer().weight.detach().float().square().sum())
    return math.sqrt(max(0.0, moved) / size) if size and not math.isnan(moved) else math.nan


def save(model: Any, spec: StudentSpec, out: Path, adapter: str | None) -> None:
    """Write the adapter of that name, or all weights if it is None: safetensors only, without the base's
    local path.

    Raises RunError if the files cannot be written, InputError for a folder without write permission.
    """
    from safetensors import SafetensorError

    try:
        _save(model, spec, out, adapter)
    except (OSError, SafetensorError) as error:
        raise disk_error(error, out) from error


def _save(model: Any, spec: StudentSpec, out: Path, adapter: str | None) -> None:
    if adapter is not None:
        model.peft_config[adapter].base_model_name_or_path = spec.base.ref.partition(":")[2]
        model.save_pretrained(str(out), safe_serialization=True)
    else:
        from transformers import GenerationConfig

        # Some checkpoints come with generation settings that transformers refuses to save.
        model.generation_config = GenerationConfig(
            eos_token_id=model.generation_config.eos_token_id,
            pad_token_id=model.generation_config.pad_token_id,
        )
        model.save_pretrained(str(out))
    with contextlib.suppress(FileNotFoundError):
        (out / "README.md").unlink()


def bound_in_files(folder: Path) -> int:
    """Return how many modules the adapter's file has weights for; `load_model` has checked that all of
    them bind.
    """
    from safetensors import safe_open

    with safe_open(str(folder / "adapter_model.safetensors"), framework="pt") as stored:
        return len({key.partition(".lora_")[0] for key in stored.keys()})  # noqa: SIM118
