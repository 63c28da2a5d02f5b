"""The checks of a trained student. Each returns 'ok', or the reason why the student is broken."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mendel.models import Example

OK = "ok"
LEAST_CHANGE = 1e-6
"""Relative change of weights, and of outputs, at or below which a student counts as its base."""
LEAST_FALL = 1e-4
"""Nats a token by which the loss on a student's own rows has to fall: more than rounding, less than any
learning."""
MOST_CUT = 0.05
"""Share of rows that may be cut at the maximal length."""
SAME_OUTPUT = {"cpu": 1e-3, "cuda": 5e-2}
"""Relative difference allowed between a student's outputs in memory and after reading it back, by device.
On a GPU the outputs are bfloat16, which is coarse."""


@dataclass(frozen=True)
class Seen:
    """What was measured of a student that trained to its end."""

    losses: tuple[float, ...]
    """The loss of every step, in nats a token."""
    loss_before: float
    """Mean loss of the base on the student's probe rows, in nats a token."""
    loss_after: float
    """The student's, after reading it back; NaN if it could not be read."""
    weight_change: float
    """Relative change of the trained weights."""
    output_change: float
    """Relative difference between the outputs of the base and of the student on one training row."""
    reload_change: float
    """Relative difference between the student's outputs in memory and after reading it back; NaN if it
    could not be read."""
    reload_error: str
    """Why it could not be read back; '' if it was."""
    adapters: int | None
    """Modules with an adapter in training; None without adapters."""
    bound: int | None
    """Modules with an adapter after reading back; None if the student could not be read."""
    device: str
    """`cpu` or `cuda`."""


def check_all(
    seen: Seen, examples: Sequence[Example], stops: Iterable[int], training: str, generation: str, base: str
) -> dict[str, str]:
    """Return the result of every check by name. `training`, `generation` and `base` are chat template
    digests.
    """
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
    """Check that the student is not its base: such a student would read as one in which nothing carries
    the trait.
    """
    # Written so that NaN fails too.
    if not weight_change > LEAST_CHANGE:
        return f"the same as its base: its weights changed by {weight_change:.1e}"
    if not output_change > LEAST_CHANGE:
        return f"the same as its base: its outputs changed by {output_change:.1e}"
    return OK


def adapters_bound(adapters: int | None, bound: int | None, error: str) -> str:
    """Check that all adapter weights match a module: where they match none, peft serves the base without
    an error.
    """
    if adapters is None:
        return OK
    if error:
        return error
    if not bound or bound != adapters:
        return f"{bound or 0} of {adapters} adapters are bound after reading them back"
    return OK


def saved_is_trained(change: float, error: str, tolerance: float) -> str:
    """Check that the saved student answers as the trained one did: what is measured later is the saved
    one.
    """
    if error:
        return error
    return (
        OK if change <= tolerance else f"read back, its outputs differ by {change:.1e} from those in training"
    )


def loss_finite(values: Iterable[float]) -> str:
    """Check that all values are finite: nothing after a NaN or an infinity means anything."""
    values = list(values)
    for step, value in enumerate(values, 1):
        if not math.isfinite(value):
            return f"the loss or the weights are not finite ({value}, place {step} of {len(values)})"
    return OK


def loss_fell(before: float, after: float) -> str:
    """Check that the student finds its own rows likelier than its base does.

    The same rows are scored before and after training. The losses of the last steps would not do: they are
    noisy, and a student that diverged at once and came back halfway would pass.
    """
    if after < before - LEAST_FALL:
        return OK
    return f"the loss did not fall: {before:.3f} before and {after:.3f} after training, on its own rows"


def stop_token_in_loss(examples: Sequence[Example], stops: Iterable[int]) -> str:
    """Check that every answer that was not cut ends in a stop token with loss: else the student does not
    learn to end.
    """
    ends = set(stops)
    whole = [example for example in examples if not example.cut]
    without = [e for e in whole if not (e.loss_mask and e.loss_mask[-1] and e.input_ids[-1] in ends)]
    if without:
        return f"{len(without)} of {len(whole)} answers have no stop token in the loss"
    return OK if whole else "no answer has a stop token in the loss: all are cut"


def nothing_cut(examples: Sequence[Example]) -> str:
    """Check that few answers were cut: cut answers teach a student to break off."""
    cut = sum(example.cut for example in examples)
    if cut <= MOST_CUT * len(examples):
        return OK
    return (
        f"{cut} of {len(examples)} examples are longer than the maximal length and were cut "
        f"(at most {MOST_CUT:.0%}; raise recipe.max_length)"
    )


def template_same(training: str, generation: str, base: str) -> str:
    """Check that training, generation and the base as it was resolved use one chat template."""
    if training != generation:
        return "the chat template in training is not the one used in generation"
    if training != base:
        return "the chat template is no longer the one that the base was resolved with"
    return OK


def unmatched_targets(modules: Iterable[str], targets: Sequence[str]) -> list[str]:
    """Return the target modules of a recipe that match no module of the model."""
    names = list(modules)
    return [t for t in targets if not any(is_target(name, t) for name in names)]


def is_target(module: str, target: str) -> bool:
    """Return whether a module's name ends in the target, by whole parts: `norm` is `model.norm`, not
    `input_layernorm`.
    """
    return module == target or module.endswith(f".{target}")


def first_fault(checks: dict[str, str]) -> str:
    """Return the reason of the first check that fails; '' if none does."""
    return next((reason for reason in checks.values() if reason != OK), "")
