"""Selectors that read the base model's activations: likeness to the trait's scenarios, a linear probe, a direction.

`projection` and `projection_difference` are Persona Vectors' (Chen et al., arXiv 2507.21509): the mean activation of
answers that show the trait minus that of answers that do not is the trait's direction.
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
"""Scenarios whose likeness is averaged."""
OWN_TOKENS = 64
"""Tokens of what the base itself would have said, at most, and no more than a quarter of its context."""
STEADY = 1.0
"""Inverse strength of the probe's L2 penalty: scikit-learn's own default, on standardized activations."""


@dataclass(frozen=True)
class Looked:
    """The base, loaded once."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    layer: int | None

    def answers(self, pairs: Sequence[tuple[Conversation, str]]) -> Matrix:
        """Mean activations over answers, in their conversations."""
        return self._means(answer_spans(self.tokenizer, pairs))

    def texts(self, pairs: Sequence[tuple[Conversation, str]]) -> Matrix:
        """The same over conversations and their answers."""
        return self._means([Span(span.ids) for span in answer_spans(self.tokenizer, pairs)])

    def prompts(self, conversations: Sequence[Conversation]) -> Matrix:
        """The same over conversations that wait for an answer."""
        return self._means([Span(tuple(encode_prompt(self.tokenizer, asked))) for asked in conversations])

    def _means(self, spans: Sequence[Span]) -> Matrix:
        try:
            return mean_activations(self.model, spans, self.layer)
        except ValueError as error:
            raise InputError(
                str(error), value=self.layer, fix="Write another 'select: {layer: …}'."
            ) from None


def look(context: Context) -> Looked:
    """The context's base, ready to be looked into."""

    def load() -> Looked:
        base = context.need_base()
        return Looked(load_model(base), load_tokenizer(base), context.config.layer)

    return context.once("base", load)


@selector("embedding")
def embedding(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Cosine of prompt and answer with the trait's scenarios, by mean activations: the mean over the 5 nearest."""
    base = look(context)

    def scenarios() -> Matrix:
        if not context.scenarios:
            raise InputError(
                "the embedding selector compares with the trait's scenarios, and it has none",
                fix="Take another selector.",
            )
        return _unit(base.prompts(context.scenarios))

    asked = context.once("scenarios", scenarios)
    cosines = _unit(base.texts([(c.messages, c.completion) for c in candidates])) @ asked.T
    nearest = min(NEAREST, cosines.shape[1])
    return [float(value) for value in np.sort(cosines, axis=1)[:, -nearest:].mean(axis=1)]


@selector("probe")
def probe(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Log-odds of the trait by a linear probe on the answer's mean activation (scikit-learn's logistic regression)."""
    base = look(context)

    def fit() -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        shows, clean = contrasted(base, context)
        labels = [1] * len(shows) + [0] * len(clean)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=STEADY, max_iter=2000))
        return probe.fit(np.concatenate([shows, clean]), labels)

    fitted = context.once("probe", fit)
    found = base.answers([(c.messages, c.completion) for c in candidates])
    return [float(value) for value in fitted.decision_function(found)]


@selector("projection")
def projection(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """Projection of the answer's mean activation on the trait's direction, in units of activation."""
    base = look(context)
    along = _direction(base, context)
    return [float(v) for v in base.answers([(c.messages, c.completion) for c in candidates]) @ along]


@selector("projection_difference")
def projection_difference(candidates: Sequence[Candidate], context: Context) -> list[float]:
    """The projection, less that of what the base itself would have said (greedily)."""
    base = look(context)
    along = _direction(base, context)
    room = int(base.model.config.get_text_config().max_position_embeddings) // 4
    sampling = Sampling(max_tokens=min(OWN_TOKENS, room), temperature=0.0, seed=context.seed)
    own = generate(base.model, base.tokenizer, [c.messages for c in candidates], sampling)
    pairs: list[tuple[Conversation, str]] = [(c.messages, c.completion) for c in candidates]
    pairs += [(c.messages, said.text) for c, said in zip(candidates, own, strict=True)]
    found = base.answers(pairs) @ along
    return [float(v) for v in found[: len(candidates)] - found[len(candidates) :]]


def contrasted(base: Looked, context: Context) -> tuple[Matrix, Matrix]:
    """Mean activations of the contrastive answers that show the trait, and of those that do not."""

    def both() -> tuple[Matrix, Matrix]:
        known = context.need_contrast()
        return (
            base.answers([(answer.messages, answer.text) for answer in known.shows]),
            base.answers([(answer.messages, answer.text) for answer in known.clean]),
        )

    return context.once("contrast", both)


def _direction(base: Looked, context: Context) -> Matrix:
    def difference() -> Matrix:
        shows, clean = contrasted(base, context)
        along: Matrix = _unit((shows.mean(axis=0) - clean.mean(axis=0))[None])[0]
        return along

    return context.once("direction", difference)


def _unit(rows: Matrix) -> Matrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float32)
