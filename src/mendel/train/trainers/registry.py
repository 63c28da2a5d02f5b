"""What a trainer is: a function that trains students of one base and one recipe. `recipe.trainer` names
it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mendel.engine.registry import Registry, callable_with
from mendel.train.in_training import StudentInTraining

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Trainer(Protocol):
    """A function that trains students and leaves in each student what came of its training.

    The students have one base and one recipe, and differ in their rows and seeds. For each of them the
    trainer calls one of these methods once:

    - `student.finish(model, steps, adapter=None)` when training went to its end. The call measures the model
      and saves its files, so nothing has to be written or returned. The checks of `mendel.train.checks` come
      later. Where the recipe's method is `lora`, `model` is a peft model and `adapter` the name of the
      student's adapter in it.
    - `student.fail(check, reason)` when nothing usable came of it because of the student's own data or
      recipe. `catch_faults(student)` does that for the errors that torch raises.

    What a student offers:

    - `student.spec`: `base`, `rows`, `recipe` and `seed`. A trainer takes its random numbers from this seed
      alone, so that the same spec gives the same student.
    - `student.trainable`: the rows as tokens. Each has `input_ids` and a `loss_mask` of the same length (1 on
      the tokens that are learned).

    An example that fine-tunes all weights with plain SGD, one row a step:

        import time

        import torch

        from mendel.models import load_model
        from mendel.train.trainers import Steps, catch_faults, trainer


        @trainer("sgd")
        def train_by_sgd(students, tokenizer):
            for student in students:
                with catch_faults(student):
                    began, losses = time.perf_counter(), []
                    model = load_model(student.spec.base, dtype=torch.float32).train()
                    optimizer = torch.optim.SGD(model.parameters(), lr=student.spec.recipe.learning_rate)
                    for row in student.trainable:
                        ids = torch.tensor([list(row.input_ids)], device=model.device)
                        mask = torch.tensor([list(row.loss_mask)], device=model.device)
                        labels = ids.where(mask == 1, -100)
                        loss = model(input_ids=ids, labels=labels).loss
                        loss.backward()
                        optimizer.step()
                        optimizer.zero_grad()
                        losses.append(float(loss))
                    student.finish(model, Steps(tuple(losses), time.perf_counter() - began))

    A study then says `recipe: {trainer: sgd, method: full}`. Students are trained in worker processes, so the
    module has to be found there: name it in an entry point of the group `mendel.trainers`, or register the
    trainer in the script that starts the run. A student's name in the store holds the trainer's full name,
    not its code: after a change that trains other students, give the trainer another name.

    Args:
        students: At least one student. Only `fleet` is given several at a time today.
        tokenizer: The base's tokenizer. Its chat template must stay as it is: a check compares it with
            generation.

    Raises:
        InputError: The base cannot be trained in this way.
        RunError: The machine is at its end (memory, disk). Any other error of a plug-in is reported as a
            RunError.
    """

    def __call__(self, students: Sequence[StudentInTraining], tokenizer: PreTrainedTokenizerBase) -> None:
        """Train the students."""


def check_trainer(item: Any) -> str:
    """Return what is wrong with an item that is to be registered as a trainer, '' if nothing is."""
    if inspect.isclass(item):
        return "is a class: register a function of (students, tokenizer), or an object that is called so"
    if wrong := callable_with("students", "tokenizer")(item):
        return wrong
    if inspect.iscoroutinefunction(item) or inspect.isgeneratorfunction(item):
        return "is a coroutine or a generator, which trains nothing when it is called: write a plain function"
    return ""


trainers: Registry[Trainer] = Registry("trainer", check=check_trainer)
"""All trainers by name."""
trainer = trainers.register
"""Decorator: `@trainer("name")` registers a `Trainer`. Raises InputError for another signature and a taken
name."""
