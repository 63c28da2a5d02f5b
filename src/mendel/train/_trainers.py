"""The two trainers: `fleet`, many students side by side, and `trl`, the reference, one after another."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import RunError
from mendel.engine.trace import span
from mendel.models import load_model
from mendel.study.schema import RecipeConfig
from mendel.train import _checks
from mendel.train._adapters import adapter_name, adapter_parameters, add_adapter, routed, strangers
from mendel.train._attention import PackedAttention
from mendel.train._candidate import Candidate, StudentFault
from mendel.train._fleet import Member, train_together
from mendel.train._layers import freeze_all_but_norms, norm_layers
from mendel.train._packing import can_pack
from mendel.train._sft import build_trainer, frozen_heap, release, run
from mendel.train._stacks import can_train_stacked, training
from mendel.train.student import StudentSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)
TRAINING_FAULTS = (ValueError, RuntimeError, ArithmeticError, IndexError)
"""What a student's own data or recipe makes torch raise."""
PARTS = 16
"""A pass is cut into so many at most."""

_packable: dict[tuple[str, str], bool] = {}


def train_candidates(todo: Sequence[Candidate], tokenizer: PreTrainedTokenizerBase) -> None:
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


def _train_fleet(todo: Sequence[Candidate], tokenizer: PreTrainedTokenizerBase, parts: int = 1) -> None:
    """Trains them together, in halves where that fails; one alone that has no room, in passes of so many parts."""
    try:
        packed = _fly(todo, parts)
    except StudentFault as fault:
        for one in todo:  # of the recipe, which is that of all
            one.fault = fault
        return
    except TRAINING_FAULTS as error:
        full = out_of_memory(error)
        if len(todo) == 1 and not (full and parts < PARTS):
            _blame(todo[0], error)
            return
        why = "not enough memory" if full else _line(error)
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


def _fly(todo: Sequence[Candidate], parts: int) -> bool:
    """Trains the candidates side by side, in passes of so many parts; False if the base cannot be packed."""
    spec = todo[0].spec
    with span("load"):
        model = _trainable(spec)
    if not _can_pack(model, spec):
        return False
    _aim(model, spec.recipe)
    with frozen_heap():
        (_train_adapters if spec.recipe.method == "lora" else _train_weights)(todo, model, parts)
    return True


def _train_weights(todo: Sequence[Candidate], model: PreTrainedModel, parts: int) -> None:
    """Of the model itself, so of one candidate."""
    (one,) = todo
    own = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    member = Member(one.trained, one.spec.seed, own)
    with PackedAttention(model), span("train", students=1):
        (steps,) = train_together(model, [member], one.spec.recipe, None, parts)
    with span("check and save"):
        one.take(model, steps, None)


def _train_adapters(todo: Sequence[Candidate], model: PreTrainedModel, parts: int) -> None:
    """Stacked on a GPU, where the model has but one of them, and each is put there afterwards; else each in the model."""
    recipe, seeds = todo[0].spec.recipe, [one.spec.seed for one in todo]
    names = [adapter_name(place) for place in range(len(todo))]
    whole = add_adapter(model, recipe, names[0], seeds[0])
    if others := strangers(whole):
        raise StudentFault("adapters_bound", f"LoRA adapts linear layers alone, and {others[0]} is none")
    stacks = None
    with PackedAttention(model):
        if can_train_stacked(whole, names[0]):
            # Decay goes by names, and of stacked adapters none is exempt: the first's will do.
            first, _ = adapter_parameters(whole, names[0])[0]
            with training(whole, names[0], seeds) as stacks, span("train", students=len(todo)):
                own = [[(first, stacks.vector(place))] for place in range(len(todo))]
                steps = train_together(whole, _members(todo, own, lasting=True), recipe, stacks, parts)
        else:
            for name, seed in zip(names[1:], seeds[1:], strict=True):
                add_adapter(whole, recipe, name, seed)
            own = [adapter_parameters(whole, name) for name in names]
            with routed(whole) as routes, span("train", students=len(todo)):
                steps = train_together(whole, _members(todo, own), recipe, routes, parts)
    for place, one in enumerate(todo):
        with span("check and save"):
            if stacks is not None:
                stacks.put(place)
            one.take(whole, steps[place], names[place if stacks is None else 0])


def _members(
    todo: Sequence[Candidate], weights: Sequence[Sequence[tuple[str, Any]]], lasting: bool = False
) -> list[Member]:
    return [Member(one.trained, one.spec.seed, own, lasting) for one, own in zip(todo, weights, strict=True)]


def _can_pack(model: PreTrainedModel, spec: StudentSpec) -> bool:
    key = (spec.base.digest, str(model.dtype))
    if key not in _packable:
        _packable[key] = can_pack(model)
        if not _packable[key]:
            log.warning("%s cannot be trained in packed passes: TRL trains its students", spec.base.ref)
    return _packable[key]


def _train_by_trl(one: Candidate, tokenizer: PreTrainedTokenizerBase) -> None:
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
    one.take(trainer.model, steps, "default" if spec.recipe.method == "lora" else None)
    release(trainer)


def _blame(one: Candidate, error: Exception) -> None:
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


def out_of_memory(error: BaseException) -> bool:
    """Whether torch says so, of a GPU or of the machine."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
