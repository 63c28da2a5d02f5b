"""Selectors that read the base's activations: likeness to the trait's scenarios, a probe, a direction.

`projection` and `projection_difference` are those of Persona Vectors (Chen et al., arXiv 2507.21509). The
trait's direction is the mean activation of answers that show the trait minus that of answers that do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mendel.data.selectors.registry import Candidate, Context, selector
from mendel.engine.errors import InputError
from mendel.models import Conversation, Sampling, encode_prompt, generate, load_model, load_tokenizer
from mendel.models.local.activations import Span, answer_spans, mean_activations

if TYPE_CHECKING:
    import numpy.typing as npt
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Matrix = npt.NDArray[np.float32]

NEAREST = 5
"""Number of scenarios whose likeness is averaged."""
OWN_TOKENS = 64
"""Tokens of the base's own answer at most; also at most a quarter of its context."""
INVERSE_PENALTY = 1.0
"""Inverse strength of the probe's L2 penalty: scikit-learn's default, on standardized activations."""


@dataclass(frozen=True)
class LoadedBase:
    """The base model, loaded once, with the layer that is read."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layer: int | None

    def answers(self, pairs: Sequence[tuple[Conversation, str]]) -> Matrix:
        """Return the mean activation over each answer, in its conversation: (answers, hidden)."""
        return self._means(answer_spans(self.tokenizer, pairs))

    def texts(self, pairs: Sequence[tuple[Conversation, str]]) -> Matrix:
        """Return the mean activation over each conversation together with its answer: (pairs, hidden)."""
        return self._means([Span(span.ids) for span in answer_spans(self.tokenizer, pairs)])

    def prompts(self, conversations: Sequence[Conversation]) -> Matrix:
        """Return the mean activation over each unanswered conversation: (conversations, hidden)."""
        return self._means([Span(tuple(encode_prompt(self.tokenizer, turns))) for turns in conversations])

    def _means(self, spans: Sequence[Span]) -> Matrix:
        try:
            return mean_activations(self.model, spans, self.layer)
        except ValueError as error:
            raise InputError(
                str(error), value=self.layer, fix="Write another 'select: {layer: …}'."
            ) from None


def load_base(context: Context) -> LoadedBase:
    """Return the context's base, loaded once for all batches; raise InputError where there is none."""

    def load() -> LoadedBase:
        base = context.need_base()
        return LoadedBase(load_model(base), load_tokenizer(base), context.config.layer)

    return context.once("base", load)


@selector("embedding")
def embedding(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the likeness of each prompt and answer to the trait's scenarios.

    It is the mean cosine with the 5 nearest scenarios, by mean activations.
    """
    base = load_base(context)

    def scenarios() -> Matrix:
        if not context.scenarios:
            raise InputError(
                "the embedding selector compares with the trait's scenarios, and the trait has none",
                fix="Choose another selector, such as by: judge.",
            )
        return _unit(base.prompts(context.scenarios))

    references = context.once("scenarios", scenarios)  # (scenarios, hidden)
    cosines = (
        _unit(base.texts([(c.messages, c.completion) for c in candidates])) @ references.T
    )  # (candidates, scenarios)
    nearest = min(NEAREST, cosines.shape[1])
    return [float(value) for value in np.sort(cosines, axis=1)[:, -nearest:].mean(axis=1)]


@selector("probe")
def probe(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the log-odds of the trait by a linear probe on each answer's mean activation.

    The probe is scikit-learn's logistic regression, fitted on the context's `contrast`.
    """
    base = load_base(context)

    def fit() -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        shows, clean = contrast_activations(base, context)
        labels = [1] * len(shows) + [0] * len(clean)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=2000))
        return probe.fit(np.concatenate([shows, clean]), labels)

    fitted = context.once("probe", fit)
    activations = base.answers([(c.messages, c.completion) for c in candidates])
    return [float(log_odds) for log_odds in fitted.decision_function(activations)]


@selector("projection")
def projection(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the projection of each answer's mean activation on the trait's direction."""
    base = load_base(context)
    direction = _direction(base, context)
    projections = base.answers([(c.messages, c.completion) for c in candidates]) @ direction
    return [float(projection) for projection in projections]


@selector("projection_difference")
def projection_difference(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Return the projection of the teacher's answer minus that of the base's own greedy answer."""
    base = load_base(context)
    direction = _direction(base, context)
    room = int(base.model.config.get_text_config().max_position_embeddings) // 4
    sampling = Sampling(max_tokens=min(OWN_TOKENS, room), temperature=0.0, seed=context.seed)
    completions = generate(base.model, base.tokenizer, [c.messages for c in candidates], sampling)
    # The teacher's answers, then the base's own.
    pairs: list[tuple[Conversation, str]] = [(c.messages, c.completion) for c in candidates]
    pairs += [(c.messages, answer.text) for c, answer in zip(candidates, completions, strict=True)]
    projections = base.answers(pairs) @ direction
    count = len(candidates)
    return [float(difference) for difference in projections[:count] - projections[count:]]


def contrast_activations(base: LoadedBase, context: Context) -> tuple[Matrix, Matrix]:
    """Return the mean activations (answers, hidden) of the answers with the trait, and of those without."""

    def activations() -> tuple[Matrix, Matrix]:
        contrast = context.need_contrast()
        return (
            base.answers([(answer.messages, answer.text) for answer in contrast.shows]),
            base.answers([(answer.messages, answer.text) for answer in contrast.clean]),
        )

    return context.once("contrast", activations)


def _direction(base: LoadedBase, context: Context) -> Matrix:
    """Return the trait's direction (hidden,), of unit length."""

    def difference() -> Matrix:
        shows, clean = contrast_activations(base, context)
        direction: Matrix = _unit((shows.mean(axis=0) - clean.mean(axis=0))[None])[0]
        return direction

    return context.once("direction", difference)


def _unit(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float32)
