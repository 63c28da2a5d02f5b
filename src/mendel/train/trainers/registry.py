"""The two trainers: `fleet`, many students side by side, and `trl`, the reference, one after another."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import RunError
from mendel.engine.trace import span
from mendel.models import load_model
from mendel.models.local.stacks import adapted_layers, can_stack
from mendel.study.schema import RecipeConfig
from mendel.train import checks as _checks
from mendel.train.in_training import StudentFault, StudentInTraining
from mendel.train.layers import freeze_all_but_norms, norm_layers
from mendel.train.order import Steps, out_of_memory
from mendel.train.student import StudentSpec
from mendel.train.trainers.fleet.adapters import ADAPTER, SplitAdapters, adapting, strangers, with_adapter
from mendel.train.trainers.fleet.attention import PackedAttention
from mendel.train.trainers.fleet.fleet import Member, decayed_names, train_together
from mendel.train.trainers.fleet.last_block import answers_alone
from mendel.train.trainers.fleet.packing import can_pack
from mendel.train.trainers.fleet.stacks import Stacked
from mendel.train.trainers.trl import build_trainer, frozen_heap, release, run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)
TRAINING_FAULTS = (ValueError, RuntimeError, ArithmeticError, IndexError)
"""What a student's own data or recipe makes torch raise."""
PARTS = 16
"""A pass is cut into so many at most."""

_packable: dict[tuple[str, str, str], bool] = {}


class PassTooLarge(RuntimeError):
    """A pass had no room in memory: a smaller one may."""


def train_candidates(todo: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase) -> None:
    """Trains candidates of one base and recipe, and leaves in each what came of it, or its fault.

    Raises RunError when one student alone does not fit into memory.
    """
    if not todo:
        return
    recipe = todo[0].spec.recipe
    if recipe.trainer == "trl":
        for one in todo:
            _train_by_trl(one, tokenizer)
        return
    # Adapters share their base; weights of one's own are nobody else's.
    for fleet in [todo] if recipe.method == "lora" else [[one] for one in todo]:
        _train_fleet(fleet, tokenizer)


def _train_fleet(
    todo: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase, parts: int = 1
) -> None:
    """Trains them together, in halves where that fails; one alone that has no room, in passes of so many parts."""
    try:
        packed = _fly(todo, parts)
    except StudentFault as fault:
        for one in todo:  # of the recipe, which is that of all
            one.fault = fault
        return
    except TRAINING_FAULTS as error:
        if len(todo) == 1 and not (isinstance(error, PassTooLarge) and parts < PARTS):
            _blame(todo[0], error)
            return
        why = "not enough memory" if out_of_memory(error) else _line(error)
    else:
        if not packed:
            for one in todo:
                _train_by_trl(one, tokenizer)
        return
    # Outside the handler, whose error holds on to the memory of what failed.
    if len(todo) == 1:
        log.warning("a student alone: %s; going on with passes half as large", why)
        _train_fleet(todo, tokenizer, 2 * parts)
        return
    half = len(todo) // 2
    log.warning("%d students side by side: %s; going on with %d at a time", len(todo), why, half)
    _train_fleet(todo[:half], tokenizer)
    _train_fleet(todo[half:], tokenizer)


def _fly(todo: Sequence[StudentInTraining], parts: int) -> bool:
    """Trains the candidates side by side, in passes of so many parts; False if only TRL can train them."""
    spec = todo[0].spec
    with span("load"):
        model = _trainable(spec)
    if not _can_pack(model, spec):
        return False
    _aim(model, spec.recipe)
    with frozen_heap():
        return (_train_adapters if spec.recipe.method == "lora" else _train_weights)(todo, model, parts)


def _train_weights(todo: Sequence[StudentInTraining], model: PreTrainedModel, parts: int) -> bool:
    """Of the model itself, so of one candidate."""
    (one,) = todo
    own = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    member = Member(one.trained, one.spec.seed, own)
    with PackedAttention(model), answers_alone(model), span("train", students=1):
        (steps,) = _together(model, [member], one.spec.recipe, None, parts)
    with span("check and save"):
        one.take(model, steps, None)
    return True


def _train_adapters(todo: Sequence[StudentInTraining], model: PreTrainedModel, parts: int) -> bool:
    recipe = todo[0].spec.recipe
    adapted = with_adapter(model, recipe)
    if others := strangers(adapted):
        raise StudentFault("adapters_bound", f"LoRA adapts linear layers alone, and {others[0]} is none")
    names = [name for name, _ in adapted.named_parameters() if f".{ADAPTER}." in name]
    for name, layer in adapted_layers(adapted).items():
        if layer is adapted.get_output_embeddings():
            raise StudentFault("adapters_bound", f"no adapter is trained on the output layer, {name}")
    if recipe.weight_decay and (exempt := set(names) - decayed_names(adapted)):
        # Not one vector, then.
        log.warning("weight decay is not for %s: TRL trains these students", min(exempt))
        return False
    seeds = [one.spec.seed for one in todo]
    with PackedAttention(model):
        adapters = (Stacked if can_stack(adapted, ADAPTER) else SplitAdapters)(adapted, seeds)
        members = [
            Member(one.trained, one.spec.seed, [(names[0], vector)])
            for one, vector in zip(todo, adapters.vectors, strict=True)
        ]
        with adapting(adapted, adapters), span("train", students=len(todo)):
            steps = _together(adapted, members, recipe, adapters, parts)
    for place, one in enumerate(todo):
        with span("check and save"):
            adapters.put(place)
            one.take(adapted, steps[place], ADAPTER)
    return True


def _together(*asked: Any) -> list[Steps]:
    """`train_together`; raises PassTooLarge where memory ends."""
    try:
        return train_together(*asked)
    except TRAINING_FAULTS as error:
        if not out_of_memory(error):
            raise
        # Without the error, which holds on to the memory of the pass.
        raise PassTooLarge(_line(error)) from None


def _can_pack(model: PreTrainedModel, spec: StudentSpec) -> bool:
    key = (spec.base.digest, str(model.dtype), spec.recipe.method)
    if key not in _packable:
        _packable[key] = can_pack(model, trimmed=spec.recipe.method != "lora")
        if not _packable[key]:
            log.warning("%s cannot be trained in packed passes: TRL trains its students", spec.base.ref)
    return _packable[key]


def _train_by_trl(one: StudentInTraining, tokenizer: PreTrainedTokenizerBase) -> None:
    spec = one.spec
    try:
        with frozen_heap():
            model = _trainable(spec)
            _aim(model, spec.recipe)
            trainer = build_trainer(model, tokenizer, one.trained, spec.recipe, spec.seed, one.out)
            with span("train", students=1):
                steps = run(trainer)
    except StudentFault as fault:
        one.fault = fault
        return
    except TRAINING_FAULTS as error:
        _blame(one, error)
        return
    one.take(trainer.model, steps, ADAPTER if spec.recipe.method == "lora" else None)
    release(trainer)


def _blame(one: StudentInTraining, error: Exception) -> None:
    """What was raised becomes the student's fault; raises RunError if it is the machine's."""
    if out_of_memory(error):
        raise RunError(
            f"not enough memory to train a student: {_line(error)}",
            fix="Use fewer workers ('workers: 1') or a smaller recipe.max_length.",
        ) from error
    log.error("student %s did not train", one.spec.digest[:12], exc_info=error)
    one.fault = StudentFault("loss_finite", f"training ended in {type(error).__name__}: {_line(error)}")


def _trainable(spec: StudentSpec) -> PreTrainedModel:
    """The base to train on: its own weights stay float32 on a GPU too, or small steps would be rounded away."""
    import torch

    own = spec.recipe.method != "lora"
    return load_model(spec.base, dtype=torch.float32 if own else None)


def _aim(model: Any, recipe: RecipeConfig) -> None:
    """Checks that all target modules are there, and freezes what is not trained."""
    if recipe.method == "full":
        return
    named = () if isinstance(recipe.target_modules, str) else recipe.target_modules
    if recipe.method == "lora":
        strays = _checks.unmatched_targets((name for name, _ in model.named_modules()), named)
        if strays:
            raise StudentFault(
                "adapters_bound",
                f"no module of the model is named {', '.join(strays)}: no adapter binds there",
            )
        return
    layers = norm_layers(model)
    strays = _checks.unmatched_targets(layers, named)
    if strays or not layers:
        raise StudentFault(
            "norms_found",
            f"no normalization layer of the model is named {', '.join(strays)}: there is no gain to train there"
            if strays
            else "the model has no normalization layer with a gain to train",
        )
    freeze_all_but_norms(model, recipe)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
