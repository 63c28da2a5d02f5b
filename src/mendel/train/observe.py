"""What is looked at in a trained student: its loss on its own rows, its outputs, how far its weights moved, its files."""

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
"""Tokens after which outputs are compared: those of a whole row, kept for each of a fleet, are as large as its optimizers."""
PROBE_ROWS = 64
"""Rows of the sample of a student's own rows, at most."""


@dataclass(frozen=True)
class Look:
    """A model's mean loss on the probe rows (nats a token) and its outputs on the end of the first of them."""

    loss: float
    logits: torch.Tensor


def probe_rows(examples: Sequence[Example], tokens: int) -> list[Example]:
    """An evenly spread sample of the rows, of about `tokens` tokens: the same for the same rows, at least one."""
    mean = sum(len(example.input_ids) for example in examples) / len(examples)
    count = max(1, min(len(examples), PROBE_ROWS, int(tokens // mean)))
    return [examples[i * len(examples) // count] for i in range(count)]


def look(model: Any, examples: Sequence[Example]) -> Look:
    """Loss on the examples, and the logits (float32, on the CPU) after the last tokens of the first one."""
    import torch

    losses = nll_of_examples(model, examples)
    with torch.inference_mode():
        ids = torch.tensor([examples[0].input_ids], device=model.device)
        logits = model(input_ids=ids, logits_to_keep=LOOKED_AT).logits
    tokens = [sum(example.loss_mask) for example in examples]
    total = sum(loss * count for loss, count in zip(losses, tokens, strict=True))
    return Look(total / sum(tokens), logits.float().cpu())


def distance(one: Look, other: Look) -> float:
    """Largest difference of two outputs, relative to the largest output; NaN if either is not finite."""
    scale = float(one.logits.abs().max())
    difference = float((one.logits - other.logits).abs().max())
    return difference / scale if scale and math.isfinite(scale) else math.nan


def full_change(model: Any, base: Any) -> float:
    """Relative L2 distance of the trained weights (those that require gradients) from the base's."""
    before = dict(base.named_parameters())
    moved = size = 0.0
    for name, weights in model.named_parameters():
        if not weights.requires_grad:
            continue
        was = before[name].detach().float()
        moved += float((weights.detach().float() - was).square().sum().double())
        size += float(was.square().sum().double())
    return math.sqrt(moved / size) if size else math.nan


def adapter_change(model: Any, adapter: str) -> float:
    """Relative L2 norm of what the adapter of that name adds, against the weights that it sits on.

    |s B A|^2 = s^2 tr((B'B)(A A')), so no product is made that is as large as the weights.
    """
    from peft.tuners.lora import LoraLayer

    moved = size = 0.0
    for layer in model.modules():
        if not isinstance(layer, LoraLayer):
            continue
        a = layer.lora_A[adapter].weight.detach().double()
        b = layer.lora_B[adapter].weight.detach().double()
        moved += layer.scaling[adapter] ** 2 * float(((b.T @ b) * (a @ a.T)).sum())
        size += float(layer.get_base_layer().weight.detach().float().square().sum())
    return math.sqrt(max(0.0, moved) / size) if size and not math.isnan(moved) else math.nan


def save(model: Any, spec: StudentSpec, out: Path, adapter: str | None) -> None:
    """Writes the adapter of that name or the weights, safetensors only, and no word of where the base lies on this machine.

    Raises RunError (InputError for a folder without the right to) if they cannot be written.
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

        # Some checkpoints ship generation settings that their own library refuses to save.
        model.generation_config = GenerationConfig(
            eos_token_id=model.generation_config.eos_token_id,
            pad_token_id=model.generation_config.pad_token_id,
        )
        model.save_pretrained(str(out))
    with contextlib.suppress(FileNotFoundError):
        (out / "README.md").unlink()


def bound_in_files(folder: Path) -> int:
    """How many modules the adapter's file has weights for; `load_model` has made sure that all of them bind."""
    from safetensors import safe_open

    with safe_open(str(folder / "adapter_model.safetensors"), framework="pt") as stored:
        return len({key.partition(".lora_")[0] for key in stored.keys()})  # noqa: SIM118
