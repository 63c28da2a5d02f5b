"""A student as a value: what it is trained from, and what came of it. Nothing here needs torch."""

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
"""Counts up when the same spec would train a different student."""

Status = Literal["ok", "broken", "failed"]


@dataclass(frozen=True)
class TrainingRow:
    """One prompt with the answer that a student learns."""

    prompt_id: str
    teacher: str
    messages: tuple[Message, ...]
    completion: str

    @cached_property
    def text(self) -> bytes:
        """What of the row counts in a student's name, as canonical JSON.

        Ids and teachers' names are labels: two arms that come down to the same rows are the same student.
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
        """SHA-256 over the base's content, what stands in the rows (in order), the recipe and the seed."""
        return namer(self.base, [row.text for row in self.rows], self.recipe)(self.seed)


def namer(base: Checkpoint, rows: Sequence[bytes], recipe: RecipeConfig) -> Callable[[int], str]:
    """Names students that differ in their seed alone, from the `text` of their rows: a plan has thousands of them.

    The name is `digest("student", {"base", "recipe", "rows", "seed", "trainer"})`, whose canonical JSON is put together
    here from parts, up to the seed for all of them at once.
    """
    recipe_text = canonical(recipe.model_dump(mode="json"))
    begun = hashlib.sha256(
        f'["student",{{"base":{canonical(base.digest)},"recipe":{recipe_text},"rows":['.encode()
    )
    begun.update(b",".join(rows))

    def name(seed: int) -> str:
        whole = begun.copy()
        whole.update(f'],"seed":{seed},"trainer":{TRAINER_VERSION}}}]'.encode())
        return whole.hexdigest()

    return name


@dataclass(frozen=True)
class TrainedStudent:
    """What came of a student's training; missing numbers are None, never 0."""

    student: str
    """The spec's digest."""
    status: Status
    """`ok`; `broken`: trained, but a check fails; `failed`: nothing usable came of it."""
    reason: str
    """Why it is not ok; '' if it is."""
    n_examples: int
    """Rows that were trained on (those cut before their answer are not)."""
    tokens: int
    """Tokens of these rows: what is seen in one epoch."""
    trained_tokens: int
    """Those of them that carry loss: completions with their stop tokens."""
    steps: int
    """Optimizer steps that were done."""
    train_seconds: float
    """Wall time of the steps alone, without loading, checks and saving."""
    train_loss: float | None
    """Mean loss (nats a token) of the last tenth of the steps."""
    first_loss: float | None
    """The same of the first tenth."""
    loss_before: float | None
    """Mean loss of the base on a sample of the student's own rows: what the student is compared with."""
    loss_after: float | None
    """The same of the student, read back from the disk."""
    n_cut: int
    """Rows longer than the recipe's maximal length."""
    bound_adapters: int | None
    """Modules that carry an adapter, counted after reading it back; None without adapters."""
    weight_change: float | None
    """Relative L2 change of the trained weights (LoRA: of the weights that the adapters sit on; norms: of the gains)."""
    template_digest: str
    """Chat template and stop tokens in training."""
    checks: dict[str, str]
    """Each check by name: `ok`, or the reason why it fails."""

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it; `from_json` gives the same value back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainedStudent:
        """The value that `to_json` wrote; raises TypeError for keys that are not its fields."""
        return cls(**data)
