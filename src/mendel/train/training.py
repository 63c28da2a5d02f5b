"""Trains one student, saves it, reads it back and checks it; a student's own fault becomes its status, not an error."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mendel.engine.digest import digest
from mendel.engine.errors import MendelError, RunError
from mendel.models import (
    Example,
    count_adapters,
    device,
    encode_example,
    load_model,
    load_tokenizer,
    stop_tokens,
    template_digest,
)
from mendel.models._quiet import quiet
from mendel.study.schema import RecipeConfig
from mendel.train import _checks, _inspect
from mendel.train._layers import freeze_all_but_norms, norm_layers
from mendel.train._sft import Steps, build_trainer, frozen_heap, own_random_state, pass_tokens, release, run
from mendel.train.student import Status, StudentSpec, TrainedStudent

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer

log = logging.getLogger(__name__)
WINDOW = 0.1
"""Share of the steps whose losses are averaged at either end."""
KEPT_EXAMPLES = 50_000
"""Encoded rows that a process keeps at most."""


class StudentFault(Exception):
    """Why a student's training did not end: becomes its reason, leaves this module never."""

    def __init__(self, check: str, reason: str, steps: Steps | None = None) -> None:
        super().__init__(reason)
        self.check, self.reason, self.steps = check, reason, steps


@dataclass(frozen=True)
class _Data:
    """The rows as tokens: all of them, and those that have something to train on."""

    examples: tuple[Example, ...]
    trained: tuple[Example, ...]


class _Encoded:
    """Encoded rows by content, for one base, template and maximal length."""

    def __init__(self) -> None:
        self.under: tuple[object, ...] = ()
        self.examples: dict[object, Example] = {}


_encoded = _Encoded()


def train_student(spec: StudentSpec, out: Path) -> TrainedStudent:
    """Trains the student and writes its adapter or weights (safetensors, no tokenizer) into the folder `out`.

    Its own faults (no module matched, NaN, equal to its base, …) are its status and reason. Raises InputError for a
    base or chat template that cannot be trained, RunError when the machine is at its end (memory, disk).
    """
    out.mkdir(parents=True, exist_ok=True)
    with quiet(), own_random_state(), frozen_heap():
        tokenizer = load_tokenizer(spec.base)
        data = _encode(spec, tokenizer)
        template = template_digest(tokenizer)
        try:
            trainer, steps = _train(spec, tokenizer, data, out)
            # The trainer has had the tokenizer in its hands: what it is now is what training used.
            template = template_digest(tokenizer)
            seen = _save_and_inspect(spec, trainer, steps, data, out)
        except StudentFault as fault:
            return _failed(spec, data, template, fault)
        return _judge(spec, tokenizer, data, seen, steps, template)


def load_student(spec: StudentSpec, folder: Path) -> PreTrainedModel:
    """A trained student, read from the folder that `train_student` wrote; raises RunError if a part does not bind."""
    if spec.recipe.method == "lora":
        return load_model(spec.base, adapter=folder)
    return load_model(spec.base, weights=folder)


def _encode(spec: StudentSpec, tokenizer: PreTrainedTokenizerBase) -> _Data:
    """The rows as tokens. Arms share most rows, so what a worker has encoded once it keeps."""
    under = (spec.base.digest, template_digest(tokenizer), spec.recipe.max_length)
    if _encoded.under != under or len(_encoded.examples) > KEPT_EXAMPLES:
        _encoded.under, _encoded.examples = under, {}
    known = _encoded.examples
    examples = []
    for row in spec.rows:
        key = (*((m["role"], m["content"]) for m in row.messages), row.completion)
        if key not in known:
            known[key] = encode_example(tokenizer, row.messages, row.completion, spec.recipe.max_length)
        examples.append(known[key])
    return _Data(tuple(examples), tuple(example for example in examples if any(example.loss_mask)))


def _train(
    spec: StudentSpec, tokenizer: PreTrainedTokenizerBase, data: _Data, out: Path
) -> tuple[SFTTrainer, Steps]:
    if not data.trained:
        rows = len(data.examples)
        raise StudentFault(
            "nothing_cut" if rows else "loss_finite",
            f"nothing to train on: {rows} rows"
            + (", all cut before their answers (raise recipe.max_length)" if rows else ""),
        )
    model = _trainable(spec)
    _aim(model, spec.recipe)
    try:
        trainer = build_trainer(model, tokenizer, data.trained, spec.recipe, spec.seed, out)
        steps = run(trainer)
    except (ValueError, RuntimeError, ArithmeticError, IndexError) as error:
        if _out_of_memory(error):
            raise RunError(
                f"not enough memory to train a student: {_line(error)}",
                fix="Use fewer workers ('workers: 1') or a smaller recipe.max_length.",
            ) from error
        log.exception("student %s did not train", spec.digest[:12])
        raise StudentFault(
            "loss_finite", f"training ended in {type(error).__name__}: {_line(error)}"
        ) from error
    if not steps.losses or not all(math.isfinite(loss) for loss in steps.losses):
        raise StudentFault("loss_finite", _checks.loss_finite(steps.losses or [math.nan]), steps)
    return trainer, steps


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


def _save_and_inspect(
    spec: StudentSpec, trainer: SFTTrainer, steps: Steps, data: _Data, out: Path
) -> _checks.Seen:
    model: Any = trainer.model
    model.eval()
    lora = spec.recipe.method == "lora"
    adapters = count_adapters(model) if lora else None
    probes = _inspect.probe_rows(data.trained, pass_tokens(model))
    if not lora and device() == "cuda":
        import torch

        model.to(torch.bfloat16)  # as it will be read back
    if lora:
        with model.disable_adapter():
            before = _inspect.look(model, probes)
        change = _inspect.adapter_change(model)
    else:
        base = load_model(spec.base)
        before = _inspect.look(base, probes)
        change = _inspect.full_change(model, base)
        del base
    trained = _inspect.look(model, probes[:1])
    _inspect.save(model, spec, out)
    del model
    release(trainer)
    bound, error, after = None, "", None
    try:
        student = load_student(spec, out)
        bound = _inspect.bound_in_files(out) if lora else None
        after = _inspect.look(student, probes)
    except MendelError as fault:
        error = fault.message
    return _checks.Seen(
        losses=steps.losses,
        loss_before=before.loss,
        loss_after=after.loss if after else math.nan,
        weight_change=change,
        output_change=_inspect.distance(before, after) if after else math.nan,
        reload_change=_inspect.distance(trained, after) if after else math.nan,
        reload_error=error,
        adapters=adapters,
        bound=bound,
        device=device(),
    )


def _judge(
    spec: StudentSpec,
    tokenizer: PreTrainedTokenizerBase,
    data: _Data,
    seen: _checks.Seen,
    steps: Steps,
    template: str,
) -> TrainedStudent:
    generation = load_tokenizer(spec.base)
    base = template if _is_resolved_template(spec, tokenizer) else spec.base.template
    checks = _checks.check_all(
        seen, data.examples, stop_tokens(generation), template, template_digest(generation), base
    )
    reason = _checks.first_fault(checks)
    status: Status = "broken" if reason else "ok"
    return _result(spec, data, template, status, reason, steps, checks, seen)


def _is_resolved_template(spec: StudentSpec, tokenizer: PreTrainedTokenizerBase) -> bool:
    from mendel.models.templates import template_of

    return spec.base.template in ("", digest("template-text", template_of(tokenizer)))


def _failed(spec: StudentSpec, data: _Data, template: str, fault: StudentFault) -> TrainedStudent:
    return _result(
        spec, data, template, "failed", fault.reason, fault.steps, {fault.check: fault.reason}, None
    )


def _result(
    spec: StudentSpec,
    data: _Data,
    template: str,
    status: Status,
    reason: str,
    steps: Steps | None,
    checks: dict[str, str],
    seen: _checks.Seen | None,
) -> TrainedStudent:
    losses = steps.losses if steps else ()
    window = max(1, round(WINDOW * len(losses)))
    return TrainedStudent(
        student=spec.digest,
        status=status,
        reason=reason,
        n_examples=len(data.trained),
        tokens=sum(len(example.input_ids) for example in data.trained),
        trained_tokens=sum(sum(example.loss_mask) for example in data.trained),
        steps=len(losses),
        train_seconds=steps.seconds if steps else 0.0,
        train_loss=_mean(losses[-window:]),
        first_loss=_mean(losses[:window]),
        loss_before=_mean([seen.loss_before]) if seen else None,
        loss_after=_mean([seen.loss_after]) if seen else None,
        n_cut=sum(example.cut for example in data.examples),
        bound_adapters=seen.bound if seen else (0 if "adapters_bound" in checks else None),
        weight_change=_mean([seen.weight_change]) if seen else None,
        template_digest=template,
        checks=checks,
    )


def _mean(values: Sequence[float]) -> float | None:
    mean = fmean(values) if values else math.nan
    return mean if math.isfinite(mean) else None


def _out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
