"""A student as a value: what it is trained from, and what came of its training. Nothing here needs torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from mendel.data.prompts import Message
from mendel.engine.digest import canonical
from mendel.models import Checkpoint
from mendel.study.schema import RecipeConfig

TRAINER_VERSION = 2
"""Raise it when the same spec would train a different student: it is part of a student's name."""

Status = Literal["ok", "broken", "failed"]


@dataclass(frozen=True)
class TrainingRow:
    """One prompt with the answer that a student learns."""

    prompt_id: str
    teacher: str
    """The name of the teacher that gave the answer."""
    messages: tuple[Message, ...]
    completion: str
    """The answer."""

    @cached_property
    def text(self) -> bytes:
        """The part of the row that counts in a student's name, as canonical JSON in UTF-8.

        Ids and teachers' names are labels: two arms with the same texts are the same student.
        """
        text = canonical([[[m["role"], m["content"]] for m in self.messages], self.completion])
        return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True)
class StudentSpec:
    """A student: base, rows, recipe and seed. The digest of these is its name."""

    base: Checkpoint
    rows: tuple[TrainingRow, ...]
    recipe: RecipeConfig
    seed: int

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the base's content, the rows' texts in order, the recipe and the seed."""
        return namer(self.base, [row.text for row in self.rows], self.recipe)(self.seed)


def namer(base: Checkpoint, rows: Sequence[bytes], recipe: RecipeConfig) -> Callable[[int], str]:
    """Return a function that names students of one base, rows and recipe by their seeds.

    A plan has thousands of students, so all but the seed is hashed once. The name is `digest("student",
    {"base", "recipe", "rows", "seed", "trainer"})`; its canonical JSON is put together here from parts.

    Args:
        base: The students' base.
        rows: The `text` of each row, in order.
        recipe: The students' recipe.

    Returns:
        A function from a seed to the student's name, 64 hex digits.
    """
    recipe_text = canonical(recipe.model_dump(mode="json"))
    prefix = hashlib.sha256(
        f'["student",{{"base":{canonical(base.digest)},"recipe":{recipe_text},"rows":['.encode()
    )
    prefix.update(b",".join(rows))

    def name_of(seed: int) -> str:
        name = prefix.copy()
        name.update(f'],"seed":{seed},"trainer":{TRAINER_VERSION}}}]'.encode())
        return name.hexdigest()

    return name_of


@dataclass(frozen=True)
class TrainedStudent:
    """What came of a student's training. A missing number is None, never 0."""

    student: str
    """The spec's digest."""
    status: Status
    """`ok`; `broken`: it was trained, but a check fails; `failed`: there is nothing usable."""
    reason: str
    """Why it is not ok; '' if it is."""
    n_examples: int
    """Rows that it was trained on. Rows that were cut before their answer do not count."""
    tokens: int
    """Tokens of these rows: what is read in one epoch."""
    trained_tokens: int
    """Tokens with loss: completions with their stop tokens."""
    steps: int
    """Optimizer steps that were taken."""
    train_seconds: float
    """Wall time of the steps, without loading, checks and saving."""
    train_loss: float | None
    """Mean loss of the last tenth of the steps, in nats a token."""
    first_loss: float | None
    """Mean loss of the first tenth of the steps, in nats a token."""
    loss_before: float | None
    """Mean loss of the base on a sample of the student's own rows, in nats a token."""
    loss_after: float | None
    """Mean loss of the student, read back from the disk, on the same sample."""
    n_cut: int
    """Rows that are longer than the recipe's maximal length."""
    bound_adapters: int | None
    """Modules that carry an adapter, counted after reading it back; None without adapters."""
    weight_change: float | None
    """Relative L2 change of the trained weights. LoRA: of the weights that the adapters are added to;
    norms: of the gains."""
    template_digest: str
    """Digest of the chat template and stop tokens in training."""
    checks: dict[str, str]
    """Every check by name: `ok`, or the reason why it fails."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainedStudent:
        """Return the value that `to_json` wrote. Raises TypeError for keys that are not fields."""
        return cls(**data)
