"""The two trainers: `fleet`, many students side by side, and `trl`, the reference, one after another."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import RunError
from mendel.engine.trace import span
from mendel.models import load_model
from mendel.study.schema import RecipeConfig
from mendel.train import _checks
from mendel.train._adapters import adapter_name, adapter_parameters, add_adapters, routed, strangers
from mendel.train._candidate import Candidate, StudentFault
from mendel.train._fleet import Member, train_together
from mendel.train._layers import freeze_all_but_norms, norm_layers
from mendel.train._packing import PackedAttention, can_pack
from mendel.train._sft import build_trainer, frozen_heap, release, run
from mendel.train.student import StudentSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)
TRAINING_FAULTS = (ValueError, RuntimeError, ArithmeticError, IndexError)
"""What a student's own data or recipe makes torch raise."""

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


def _train_fleet(todo: Sequence[Candidate], tokenizer: PreTrainedTokenizerBase) -> None:
    try:
        packed = _fly(todo)
    except StudentFault as fault:
        for one in todo:  # of the recipe, which is that of all
            one.fault = fault
        return
    except TRAINING_FAULTS as error:
        if len(todo) == 1:
            _blame(todo[0], error)
            return
        half = len(todo) // 2
        why = "not enough memory" if out_of_memory(error) else _line(error)
        log.warning("%d students side by side: %s; going on with %d at a time", len(todo), why, half)
    else:
        if not packed:
            for one in todo:
                _train_by_trl(one, tokenizer)
        return
    # Outside the handler, whose error holds on to the memory of what failed.
    _train_fleet(todo[:half], tokenizer)
    _train_fleet(todo[half:], tokenizer)


def _fly(todo: Sequence[Candidate]) -> bool:
    """Trains the candidates side by side; False if the base cannot be packed."""
    spec = todo[0].spec
    with span("load"):
        model = _trainable(spec)
    if not _can_pack(model, spec):
        return False
    _aim(model, spec.recipe)
    lora = spec.recipe.method == "lora"
    with PackedAttention(model):
        whole: Any = add_adapters(model, spec.recipe, [one.spec.seed for one in todo]) if lora else model
        if lora and (others := strangers(whole)):
            raise StudentFault("adapters_bound", f"LoRA adapts linear layers alone, and {others[0]} is none")
        members = [
            Member(one.trained, one.spec.seed, _own_weights(whole, adapter_name(place) if lora else None))
            for place, one in enumerate(todo)
        ]
        with routed(whole) if lora else nullcontext() as routes, span("train", students=len(todo)):
            steps = train_together(whole, members, spec.recipe, routes)
    for place, one in enumerate(todo):
        with span("check and save"):
            one.take(whole, steps[place], adapter_name(place) if lora else None)
    return True


def _own_weights(model: Any, adapter: str | None) -> list[tuple[str, Any]]:
    if adapter is not None:
        return adapter_parameters(model, adapter)
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


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
