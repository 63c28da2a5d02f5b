"""A judge plug-in that asks a model: it is handed the model's chat, and what it returns is checked."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mendel.engine.digest import digest
from mendel.engine.errors import MendelError, RunError
from mendel.measure.judges.registry import AsksModel, Judgement
from mendel.measure.scenarios import Scenario

if TYPE_CHECKING:
    from mendel.models.chat import ChatModel
    from mendel.models.source import ModelSource


@dataclass(frozen=True)
class JudgeWithModel:
    """A judge plug-in together with the model that it asks; a picklable value."""

    judge: AsksModel
    source: ModelSource
    """The model: `open_chat` opens it."""

    @property
    def id(self) -> str:
        """The plug-in's name with a digest of its own id and of the model."""
        name = self.judge.id.rpartition("@")[0] or self.judge.id
        return f"{name}@{digest('judge-with-model', [self.judge.id, self.source.digest])[:8]}"

    @property
    def hit_at(self) -> float:
        """The score from which on a response is a hit."""
        return self.judge.hit_at

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The least and the greatest score; None for a plug-in that does not say."""
        known: tuple[float, float] | None = getattr(self.judge, "score_range", None)
        return known

    def score(self, scenario: Scenario, response: str) -> float | None:
        """Return None: a model has to be asked, with `grade`."""
        return None

    def grade(self, asked: Sequence[tuple[Scenario, str]], chat: ChatModel) -> list[Judgement]:
        """Return what the plug-in says of each response, in the given order.

        A quote that does not stand in its response makes the response unjudged. Raises RunError that names
        the plug-in for an exception of its code, for another number of judgements and for a score that is not
        finite.
        """
        where = f"judge {self.id}"
        try:
            judgements = list(self.judge.grade(asked, chat))
        except MendelError:
            raise
        except Exception as error:  # A plug-in's code may raise anything.
            raise RunError(f"the judge failed: {type(error).__name__}: {error}", where=where) from error
        if len(judgements) != len(asked):
            raise RunError(
                f"the judge returned {len(judgements)} judgements for {len(asked)} responses",
                where=where,
                fix="It must return one Judgement per response, in the given order.",
            )
        return [
            _checked(judgement, response, where)
            for judgement, (_, response) in zip(judgements, asked, strict=True)
        ]


def _checked(judgement: Judgement, response: str, where: str) -> Judgement:
    if not isinstance(judgement, Judgement):
        raise RunError(
            f"the judge returned a {type(judgement).__name__}, not a Judgement",
            where=where,
            fix="Return mendel.Judgement(score, quote, note) for each response.",
        )
    for name, text in (("quote", judgement.quote), ("note", judgement.note)):
        if text is not None and not isinstance(text, str):
            raise RunError(f"the judge's {name} is no text", where=where, value=text, fix="Return a str.")
    score: Any = judgement.score
    if score is None:
        return judgement
    # A number of NumPy counts as a number.
    if not isinstance(score, numbers.Real) or not math.isfinite(score):
        raise RunError(
            "the judge's score is not a finite number; None says that it cannot tell",
            where=where,
            value=score,
        )
    if judgement.quote and judgement.quote not in response:
        note = f"unjudged: the quote does not stand in the response: {judgement.quote}"
        return Judgement(None, note=note)
    return replace(judgement, score=float(score))
