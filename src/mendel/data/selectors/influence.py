"""Gradient influence: how far a training step on an answer moves the base towards the trait, after TrackStar.

Chang et al., *Scalable Influence and Fact Tracing* (arXiv 2410.17413), with bergson's gradients. They are
projected for each module, preconditioned by a damped inverse square root of their second moments, and
compared by cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mendel.data.selectors.activations import LoadedBase, load_base
from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.models import Conversation, encode_examples
from mendel.models.local.gradients import projected_gradients, require_bergson

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.float32]

__all__ = ["influence", "require_bergson"]

MAX_TOKENS = 2**31
"""No example is cut: it is scored whole."""
DAMPING = 0.1
"""Damping of the second moments, as a share of their mean: bergson's default."""


@dataclass(frozen=True)
class _Query:
    """The gradient direction from answers without the trait to answers with it, and the preconditioner."""

    direction: Matrix
    """Of unit length: (features,), all modules side by side."""
    scale: dict[str, Matrix]
    """(second moments + damping)^-1/2 by module: (features of the module, the same)."""

    def rows(self, gradients: dict[str, Matrix]) -> Matrix:
        """Return the preconditioned gradients of all modules, of unit length: (answers, features)."""
        return _unit(np.concatenate([gradients[name] @ scale for name, scale in self.scale.items()], axis=1))


@selector("influence")
def influence(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the cosine of each answer's loss gradient with the direction towards the trait's answers.

    Both are preconditioned.
    """
    base = load_base(context)
    query = context.once("influence", lambda: _query(base, context))
    gradients = _gradients(base, [(c.messages, c.completion) for c in candidates])
    return [float(value) for value in query.rows(gradients) @ query.direction]


def _query(base: LoadedBase, context: Context) -> _Query:
    contrast = context.need_contrast()
    shows = _gradients(base, [(answer.messages, answer.text) for answer in contrast.shows])
    clean = _gradients(base, [(answer.messages, answer.text) for answer in contrast.clean])
    scale = {name: _inverse_root(np.concatenate([shows[name], clean[name]])) for name in shows}
    # The direction itself is a difference of preconditioned gradients.
    without_direction = _Query(np.zeros(0, dtype=np.float32), scale)
    direction = without_direction.rows(shows).mean(axis=0) - without_direction.rows(clean).mean(axis=0)
    return _Query(_unit(direction[None])[0], scale)


def _gradients(base: LoadedBase, pairs: Sequence[tuple[Conversation, str]]) -> dict[str, Matrix]:
    """Return the projected loss gradients by module: (answers, features of the module)."""
    return projected_gradients(base.model, encode_examples(base.tokenizer, pairs, MAX_TOKENS))


def _inverse_root(rows: Matrix) -> Matrix:
    """Return the damped inverse square root of the rows' second moments: (features, features)."""
    moments = rows.T.astype(np.float64) @ rows.astype(np.float64) / len(rows)
    values, vectors = np.linalg.eigh(moments)
    damped = np.maximum(values, 0.0) + DAMPING * max(float(values.mean()), 1e-30)
    root: Matrix = ((vectors / np.sqrt(damped)) @ vectors.T).astype(np.float32)
    return root


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit
