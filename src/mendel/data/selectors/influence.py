"""Gradient influence: how far a step on an answer moves the base towards the trait's answers, after TrackStar.

Chang et al., *Scalable Influence and Fact Tracing* (arXiv 2410.17413), with bergson's gradients: projected module by
module, preconditioned by a damped inverse square root of their second moments, and compared by their cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mendel.data.selectors.activations import Looked, look
from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.models import Conversation, encode_examples
from mendel.models.local.gradients import projected_gradients, require_bergson

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.float32]

__all__ = ["influence", "require_bergson"]

LONGEST = 2**31
DAMPING = 0.1
"""Of the second moments, as a share of their mean: bergson's default."""


@dataclass(frozen=True)
class _Query:
    """The direction that answers with the trait differ in from answers without, and what gradients are divided by."""

    direction: Matrix
    """Unit length."""
    scale: dict[str, Matrix]
    """By module, (second moments + damping)^-1/2."""

    def rows(self, gradients: dict[str, Matrix]) -> Matrix:
        """Preconditioned gradients of unit length, all modules side by side."""
        return _unit(np.concatenate([gradients[name] @ scale for name, scale in self.scale.items()], axis=1))


@selector("influence")
def influence(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Cosine of the answer's preconditioned loss gradient with that of the trait's answers less that of clean ones."""
    base = look(context)
    query = context.once("influence", lambda: _query(base, context))
    gradients = _gradients(base, [(c.messages, c.completion) for c in candidates])
    return [float(value) for value in query.rows(gradients) @ query.direction]


def _query(base: Looked, context: Context) -> _Query:
    known = context.need_contrast()
    shows = _gradients(base, [(answer.messages, answer.text) for answer in known.shows])
    clean = _gradients(base, [(answer.messages, answer.text) for answer in known.clean])
    scale = {name: _inverse_root(np.concatenate([shows[name], clean[name]])) for name in shows}
    plain = _Query(np.zeros(0, dtype=np.float32), scale)
    direction = plain.rows(shows).mean(axis=0) - plain.rows(clean).mean(axis=0)
    return _Query(_unit(direction[None])[0], scale)


def _gradients(base: Looked, pairs: Sequence[tuple[Conversation, str]]) -> dict[str, Matrix]:
    return projected_gradients(base.model, encode_examples(base.tokenizer, pairs, LONGEST))


def _inverse_root(rows: Matrix) -> Matrix:
    moments = rows.T.astype(np.float64) @ rows.astype(np.float64) / len(rows)
    values, vectors = np.linalg.eigh(moments)
    damped = np.maximum(values, 0.0) + DAMPING * max(float(values.mean()), 1e-30)
    root: Matrix = ((vectors / np.sqrt(damped)) @ vectors.T).astype(np.float32)
    return root


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
