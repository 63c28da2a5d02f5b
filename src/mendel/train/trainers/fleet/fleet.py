"""The trainer `fleet`: what is trained together, and what happens when it does not fit into memory.

Students with adapters share the base's passes. A student that trains weights of the base itself is a fleet of
one. Where a base cannot be packed, TRL trains its students.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mendel.engine.trace import span
from mendel.models.local.loading import first_line
from mendel.models.local.stacks import adapted_layers, can_stack
from mendel.train.in_training import StudentInTraining
from mendel.train.student import StudentSpec
from mendel.train.trainers.faults import TRAINING_FAULTS, StudentFault, blame
from mendel.train.trainers.fleet.adapters import SplitAdapters, adapting, unsupported_modules, with_adapter
from mendel.train.trainers.fleet.attention import PackedAttention
from mendel.train.trainers.fleet.last_block import trimmed_last_mlp
from mendel.train.trainers.fleet.lockstep import Member, decayed_names, train_together
from mendel.train.trainers.fleet.packing import can_pack
from mendel.train.trainers.fleet.stacks import StackedAdapters
from mendel.train.trainers.memory import PARTS, PassTooLarge, marked_as_pass, out_of_memory
from mendel.train.trainers.registry import trainer
from mendel.train.trainers.trainable import ADAPTER, freeze_untrained, load_trainable
from mendel.train.trainers.trl import frozen_heap, train_one_by_trl

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

packable_bases: dict[tuple[str, str, str], bool] = {}
"""Whether a base can be packed, by its digest, precision and the recipe's method: tried once in a process."""


@trainer("fleet")
def train_by_fleet(students: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase) -> None:
    """Train students side by side.

    Args:
        students: Students of one base and recipe.
        tokenizer: The base's tokenizer, for TRL.

    Raises:
        RunError: One student alone does not fit into memory, or a student cannot be saved.
    """
    shared = students[0].spec.recipe.method == "lora"
    for fleet in [students] if shared else [[student] for student in students]:
        train_in_halves(fleet, tokenizer)


def train_in_halves(
    students: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase, parts: int = 1
) -> None:
    """Train the students together, or in halves where that fails.

    A single student whose passes do not fit into memory is tried again with its passes in twice as many
    parts.
    """
    try:
        trained = train_fleet(students, parts)
    except StudentFault as fault:
        # It is a fault of the recipe, which all students share.
        for student in students:
            student.fail(fault.check, fault.reason)
        return
    except TRAINING_FAULTS as error:
        if len(students) == 1 and not (isinstance(error, PassTooLarge) and parts < PARTS):
            blame(students[0], error)
            return
        why = "not enough memory" if out_of_memory(error) else first_line(error)
    else:
        if not trained:
            for student in students:
                train_one_by_trl(student, tokenizer)
        return
    # Outside the handler: the error's traceback keeps what failed in memory.
    if len(students) == 1:
        log.warning("a student alone: %s; going on with passes half as large", why)
        train_in_halves(students, tokenizer, 2 * parts)
        return
    half = len(students) // 2
    log.warning("%d students side by side: %s; going on with %d at a time", len(students), why, half)
    train_in_halves(students[:half], tokenizer)
    train_in_halves(students[half:], tokenizer)


def train_fleet(students: Sequence[StudentInTraining], parts: int) -> bool:
    """Train the students together, in passes that are cut into `parts`; return False if only TRL can train
    them.

    Raises StudentFault for a fault of the recipe, PassTooLarge if a pass does not fit into memory.
    """
    spec = students[0].spec
    with span("load"):
        model = load_trainable(spec)
    if not _is_packable(model, spec):
        return False
    freeze_untrained(model, spec.recipe)
    with frozen_heap():
        if spec.recipe.method == "lora":
            return _train_adapters(students, model, parts)
        (student,) = students
        _train_weights(student, model, parts)
        return True


def _train_weights(student: StudentInTraining, model: PreTrainedModel, parts: int) -> None:
    """Train the model's own weights that require gradients: one student only."""
    weights = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    member = Member(student.trainable, student.spec.seed, weights)
    with PackedAttention(model), trimmed_last_mlp(model), span("train", students=1), marked_as_pass():
        (steps,) = train_together(model, [member], student.spec.recipe, None, parts)
    with span("check and save"):
        student.finish(model, steps, None)


def _train_adapters(students: Sequence[StudentInTraining], model: PreTrainedModel, parts: int) -> bool:
    """Train one adapter for each student; return False if weight decay is not for all of an adapter's
    weights.
    """
    recipe = students[0].spec.recipe
    adapted = with_adapter(model, recipe)
    names = _adapter_weights(adapted)
    if recipe.weight_decay and (exempt := set(names) - decayed_names(adapted)):
        # An adapter is one vector here, which decays as a whole or not at all.
        log.warning("weight decay is not for %s: TRL trains these students", min(exempt))
        return False
    seeds = [student.spec.seed for student in students]
    with PackedAttention(model):
        kind = StackedAdapters if can_stack(adapted, ADAPTER) else SplitAdapters
        adapters = kind(adapted, seeds)
        members = [
            Member(student.trainable, student.spec.seed, [(names[0], vector)])
            for student, vector in zip(students, adapters.vectors, strict=True)
        ]
        with adapting(adapted, adapters), span("train", students=len(students)), marked_as_pass():
            steps = train_together(adapted, members, recipe, adapters, parts)
    for place, student in enumerate(students):
        with span("check and save"):
            adapters.copy_into_model(place)
            student.finish(adapted, steps[place], ADAPTER)
    return True


def _adapter_weights(adapted: PeftModel) -> list[str]:
    """Return the names of the adapter's weights. Raises StudentFault for a module that cannot be adapted
    here.
    """
    if others := unsupported_modules(adapted):
        raise StudentFault("adapters_bound", f"LoRA adapts linear layers alone, and {others[0]} is none")
    for name, layer in adapted_layers(adapted).items():
        if layer is adapted.get_output_embeddings():
            raise StudentFault("adapters_bound", f"no adapter is trained on the output layer, {name}")
    return [name for name, _ in adapted.named_parameters() if f".{ADAPTER}." in name]


def _is_packable(model: PreTrainedModel, spec: StudentSpec) -> bool:
    """Return whether the base can be trained in packed passes, as `can_pack` found out once."""
    key = (spec.base.digest, str(model.dtype), spec.recipe.method)
    if key not in packable_bases:
        packable_bases[key] = can_pack(model, trimmed=spec.recipe.method != "lora")
        if not packable_bases[key]:
            log.warning("%s cannot be trained in packed passes: TRL trains its students", spec.base.ref)
    return packable_bases[key]
