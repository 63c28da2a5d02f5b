"""The checks of a trained student, each a small function of what was seen: 'ok', or the reason why it is broken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mendel.models import Example

OK = "ok"
LEAST_CHANGE = 1e-6
"""Relative change of weights and of outputs below which a student counts as its base."""
LEAST_FALL = 1e-4
"""Nats a token by which the loss on a student's own rows has to fall: more than rounding, less than any learning."""
MOST_CUT = 0.05
"""Share of rows that may be cut at the maximal length."""
SAME_OUTPUT = {"cpu": 1e-3, "cuda": 5e-2}
"""Relative difference of outputs between a student in memory and the same read back; bfloat16 on a GPU is coarse."""


@dataclass(frozen=True)
class Seen:
    """What was seen of a student that trained to its end."""

    losses: tuple[float, ...]
    """Of every step."""
    loss_before: float
    loss_after: float
    weight_change: float
    output_change: float
    """Relative difference of the outputs of base and student on a training row."""
    reload_change: float
    """The same between the student in memory and the one read back from the disk; NaN if it could not be read."""
    reload_error: str
    """Why it could not be read back; '' if it was."""
    adapters: int | None
    """Modules with an adapter in training; None in a full fine-tune."""
    bound: int | None
    """The same after reading back."""
    device: str


def check_all(
    seen: Seen, examples: Sequence[Example], stops: Iterable[int], training: str, generation: str, base: str
) -> dict[str, str]:
    """All checks by name; `training`, `generation` and `base` are digests of the chat template there."""
    return {
        "loss_finite": loss_finite([*seen.losses, seen.loss_before, seen.loss_after, seen.weight_change]),
        "adapters_bound": adapters_bound(seen.adapters, seen.bound, seen.reload_error),
        "saved_is_trained": saved_is_trained(seen.reload_change, seen.reload_error, SAME_OUTPUT[seen.device]),
        "differs_from_base": differs_from_base(seen.weight_change, seen.output_change),
        "loss_fell": loss_fell(seen.loss_before, seen.loss_after),
        "stop_token_in_loss": stop_token_in_loss(examples, stops),
        "nothing_cut": nothing_cut(examples),
        "template_same": template_same(training, generation, base),
    }


def differs_from_base(weight_change: float, output_change: float) -> str:
    """A student that is its base would be read as one in which nothing carries the trait."""
    # Written so that NaN fails too.
    if not weight_change > LEAST_CHANGE:
        return f"the same as its base: its weights changed by {weight_change:.1e}"
    if not output_change > LEAST_CHANGE:
        return f"the same as its base: its outputs changed by {output_change:.1e}"
    return OK


def adapters_bound(adapters: int | None, bound: int | None, error: str) -> str:
    """Adapter weights that match no module leave the base as it is, without a word."""
    if adapters is None:
        return OK
    if error:
        return error
    if not bound or bound != adapters:
        return f"{bound or 0} of {adapters} adapters are bound after reading them back"
    return OK


def saved_is_trained(change: float, error: str, tolerance: float) -> str:
    """What is measured is what was saved: it must answer as what was trained."""
    if error:
        return error
    return (
        OK if change <= tolerance else f"read back, its outputs differ by {change:.1e} from those in training"
    )


def loss_finite(values: Iterable[float]) -> str:
    """NaN and infinity spread: nothing after the first one means anything."""
    values = list(values)
    for step, value in enumerate(values, 1):
        if not math.isfinite(value):
            return f"the loss or the weights are not finite ({value}, place {step} of {len(values)})"
    return OK


def loss_fell(before: float, after: float) -> str:
    """A student has to find its own training rows likelier than its base does; one that was wrecked does not.

    On the same rows before and after, since the losses of a few noisy steps would pass a student that got lost at
    once and came halfway back.
    """
    if after < before - LEAST_FALL:
        return OK
    return f"the loss did not fall: {before:.3f} before and {after:.3f} after training, on its own rows"


def stop_token_in_loss(examples: Sequence[Example], stops: Iterable[int]) -> str:
    """Every answer that was not cut has to end in a stop token that carries loss, or the student never learns to end."""
    ends = set(stops)
    whole = [example for example in examples if not example.cut]
    without = [e for e in whole if not (e.loss_mask and e.loss_mask[-1] and e.input_ids[-1] in ends)]
    if without:
        return f"{len(without)} of {len(whole)} answers have no stop token in the loss"
    return OK if whole else "no answer has a stop token in the loss: all are cut"


def nothing_cut(examples: Sequence[Example]) -> str:
    """Cut answers teach a student to break off; a few are recorded, more are a fault."""
    cut = sum(example.cut for example in examples)
    if cut <= MOST_CUT * len(examples):
        return OK
    return (
        f"{cut} of {len(examples)} examples are longer than the maximal length and were cut "
        f"(at most {MOST_CUT:.0%}; raise recipe.max_length)"
    )


def template_same(training: str, generation: str, base: str) -> str:
    """One template in training, in generation and in the base as it was resolved."""
    if training != generation:
        return "the chat template in training is not the one used in generation"
    if training != base:
        return "the chat template is no longer the one that the base was resolved with"
    return OK


def unmatched_targets(modules: Iterable[str], targets: Sequence[str]) -> list[str]:
    """Those of a recipe's target modules that match no module of the model."""
    names = list(modules)
    return [t for t in targets if not any(is_target(name, t) for name in names)]


def is_target(module: str, target: str) -> bool:
    """Whether a module's name ends in the target, by whole parts: `norm` is `model.norm`, and no `input_layernorm`."""
    return module == target or module.endswith(f".{target}")


def first_fault(checks: dict[str, str]) -> str:
    """The reason of the first check that fails; '' if none does."""
    return next((reason for reason in checks.values() if reason != OK), "")
