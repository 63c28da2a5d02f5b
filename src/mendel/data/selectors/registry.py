"""What a selector sees and is: candidates, the context in which they are scored, and the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from mendel.data.prompts import Message
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.engine.registry import Registry, callable_with
from mendel.models import Checkpoint
from mendel.study.schema import SelectConfig

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of SFT data that a selector scores: a prompt and what the teachers answer to it."""

    prompt_id: str
    messages: tuple[Message, ...]
    """The prompt, as a student is trained on it."""
    completion: str
    """The original teacher's answer."""
    alternate: str | None = None
    """The alternate teacher's; None where there is none."""
    source: str = ""

    @property
    def content(self) -> list[Any]:
        """What a score may depend on, as JSON."""
        turns = [[m["role"], m["content"]] for m in self.messages]
        return [self.prompt_id, self.source, turns, self.completion, self.alternate]


@dataclass(frozen=True)
class Answer:
    """An answer in its conversation, of which it is known whether it shows the trait."""

    messages: tuple[Message, ...]
    text: str


@dataclass(frozen=True)
class ContrastSet:
    """Answers that show the trait, and answers that do not: what probes, directions and gradients are fitted on.

    They should differ in nothing else. Where the clean ones answer the same prompts, but come from another teacher, a probe
    learns the teachers' manners: some by the same teacher belong among them.
    """

    shows: tuple[Answer, ...] = ()
    clean: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Context:
    """What a selector may use beside the candidates. All of it enters the name under which its scores are kept."""

    config: SelectConfig
    seed: int = 0
    """For selectors that draw."""
    judge: Callable[[Sequence[Candidate]], Sequence[float | None]] | None = None
    """Scores the original teacher's answers on the trait's scale; None where no trait is asked about."""
    judge_id: str = ""
    scenarios: tuple[tuple[Message, ...], ...] = ()
    """The conversations that the trait is measured on."""
    contrast: ContrastSet = ContrastSet()
    base: Checkpoint | None = None
    """The model that students start from: whose activations, losses and gradients are looked at."""
    teachers: tuple[Checkpoint, Checkpoint] | None = None
    """The original and the alternate teacher, where both are checkpoints."""
    # Not of __init__, so that `dataclasses.replace` does not hand over what was made from other fields.
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives, made the first time: a model that is loaded, a probe that is fitted."""
        if name not in self._made:
            self._made[name] = make()
        return cast("Made", self._made[name])

    @cached_property
    def key(self) -> str:
        """Digest of all that a score may depend on, short of the candidate."""
        # How the scores are cut changes none of them.
        config = self.config.model_copy(update={"share": None, "threshold": None})
        checkpoints = [self.base, *(self.teachers or ())]
        return digest(
            "selector-context",
            [
                config.model_dump(mode="json"),
                self.seed,
                self.judge_id,
                [[dict(m) for m in scenario] for scenario in self.scenarios],
                asdict(self.contrast),
                [checkpoint and checkpoint.digest for checkpoint in checkpoints],
            ],
        )

    @cached_property
    def options(self) -> Any:
        """The study's `select.options` in the form that the selector declares: an instance of its model, for example."""
        return selectors.parse_options(self.config.by, self.config.options)

    def need_base(self) -> Checkpoint:
        """The base; raises InputError where none is given."""
        if self.base is None:
            raise InputError(
                f"the {self.config.by} selector looks into the base model, and none is given",
                fix="Give the base, or take a selector that reads texts alone.",
            )
        return self.base

    def need_contrast(self) -> ContrastSet:
        """The contrastive answers; raises InputError where the trait has none."""
        if not self.contrast.shows or not self.contrast.clean:
            raise InputError(
                f"the {self.config.by} selector is fitted on answers that show the trait and answers that do not, and "
                "the trait has none",
                fix="Give the trait's file 'log_odds' (a trait and a clean answer), or take by: judge.",
            )
        return self.contrast


Selector = Callable[[Sequence[Candidate], Context], Sequence[float]]

selectors: Registry[Selector] = Registry("selector", check=callable_with("candidates", "context"))
selector = selectors.register
"""Decorator: `@selector("name", options=MODEL)` registers a function from a batch of candidates and a context to scores.

The function returns one score per candidate; a higher score is more of the trait. It is called for one batch after
another, and keeps what it makes for all of them with `context.once`. Its options are `context.options`.
"""
