"""Whether rewritten rollouts keep what the originals say and lose how they say it. Text and scores alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mendel.diagnose.screens import Screening, joined
from mendel.diagnose.stats.panel import Floats

KEPT_SCORE = 1 / 2
"""Share of the originals' mean score that rewritten flagged rollouts must keep."""
KEPT_WORDS = 0.1
"""Share of what an independent answer misses of the original's words that a rewritten one must hold: it says
more of the same than an answer that never saw the original."""
MARKS_LEFT = 1 / 3
"""Greatest share of the original's marks that rewritten rollouts may keep: as `little` in the predictions."""
COPIED = 1 / 2
"""Share of equal texts above which nothing was rewritten."""
TOLD_APART = 0.6
"""Share of pairs that a classifier must tell apart before there is a manner to lose; .5 is chance."""
LEAST_ROWS, LEAST_SCORED = 8, 4
"""Fewest rows, and fewest scored flagged rollouts, for a statement about all of them."""
MOST_ROWS = 400
"""Greatest number of rows that the classifier is fitted on, evenly over them."""
FOLDS = 5
Z = 1.645
"""One-sided 5 %."""


@dataclass(frozen=True)
class RewrittenRow:
    """One prompt's three answers."""

    original: str
    rewritten: str
    alternate: str


def screen_rewriter(
    rows: Sequence[RewrittenRow], scores: Sequence[tuple[float, float]], lowest: float
) -> Screening:
    """Check a rewriter by its texts and by the trait's judge; no student is trained.

    Args:
        rows: Answers to prompts that no judge flags, on which students would be trained.
        scores: The judge's score of the original teacher's rollout and of the rewritten one, for every
            flagged prompt.
        lowest: The least score of the trait's scale.

    Returns:
        It fits if the content is kept (by the judge or by the words) and the manner is lost.
    """
    copied = _copied(rows)
    if copied is not None:
        return copied
    return joined(_content(rows, scores, lowest), keeps_no_marks(rows))


def _copied(rows: Sequence[RewrittenRow]) -> Screening | None:
    """Return what is wrong with texts that are the other teachers' own; None if they are not."""
    apart = [row for row in rows if row.original != row.alternate]
    if not apart:
        return None
    own, others = (
        sum(row.rewritten.strip() == getattr(row, name).strip() for row in apart) / len(apart)
        for name in ("original", "alternate")
    )
    numbers = {"equal to the original": own, "equal to the alternate": others}
    if own > COPIED:
        return Screening(False, f"{own:.0%} of the rewritten rollouts are the originals, unchanged", numbers)
    if others > COPIED:
        text = f"{others:.0%} of the rewritten rollouts are the alternate teacher's own answers"
        return Screening(False, f"it does not keep the content: {text}", numbers)
    return None


def _content(rows: Sequence[RewrittenRow], scores: Sequence[tuple[float, float]], lowest: float) -> Screening:
    """Return whether the content is kept: one check that fails decides, else one that holds."""
    checks = (keeps_scores(scores, lowest), keeps_words(rows))
    if any(check.fits is False for check in checks):
        return joined(*(check for check in checks if check.fits is False))
    held = [check for check in checks if check.fits]
    return joined(*(held or checks))


def keeps_scores(scores: Sequence[tuple[float, float]], lowest: float) -> Screening:
    """Check that rewritten flagged rollouts still show the trait, by its own judge.

    Args:
        scores: The scores of the original rollout and of the rewritten one, by flagged prompt.
        lowest: The least score of the trait's scale.

    Returns:
        It fits if their mean is shown to be at least half of the originals', above the least score.
    """
    pairs = np.asarray(scores, dtype=np.float64).reshape(-1, 2) - lowest
    if len(pairs) < LEAST_SCORED or pairs[:, 0].sum() <= 0:
        return Screening(None, f"{len(pairs)} flagged rollouts are too few to see whether it keeps them")
    before, after = pairs.mean(axis=0)
    numbers = {
        "score of flagged, original": float(before + lowest),
        "score of flagged, rewritten": float(after + lowest),
    }
    text = f"rewritten, the flagged rollouts score {after + lowest:.2f} of {before + lowest:.2f}"
    shown = _shown(pairs[:, 1] - KEPT_SCORE * pairs[:, 0])
    return Screening(shown, text if shown is not False else f"it does not keep the content: {text}", numbers)


def keeps_words(rows: Sequence[RewrittenRow]) -> Screening:
    """Check that rewritten rollouts hold more of the originals' words than an independent answer does.

    Only words count that depend on the prompt: those of fewer than half of the original rollouts, weighted by
    how rare they are (tf-idf; Spärck Jones, 1972).

    Args:
        rows: The answers.
    """
    if len(rows) < LEAST_ROWS:
        return Screening(None, f"{len(rows)} rollouts are too few to compare words")
    words = [[set(_words(text)) for text in (row.original, row.rewritten, row.alternate)] for row in rows]
    frequency = Counter(word for original, *_ in words for word in original)
    weight = {w: float(np.log(len(rows) / f)) for w, f in frequency.items() if f < len(rows) / 2}
    kept = []
    for original, *answers in words:
        total = sum(weight.get(word, 0.0) for word in original)
        if total > 0:
            kept.append([sum(weight.get(w, 0.0) for w in original & a) / total for a in answers])
    if len(kept) < LEAST_ROWS:
        return Screening(None, "the original rollouts share nearly all of their words")
    rewritten, alternate = np.asarray(kept).T
    numbers = {"words kept": float(rewritten.mean()), "words in common by chance": float(alternate.mean())}
    shares = rewritten.mean(), alternate.mean()
    text = f"it keeps {shares[0]:.0%} of their words, the alternate teacher's own answers {shares[1]:.0%}"
    more = _shown(rewritten - alternate - KEPT_WORDS * (1 - alternate))
    less = _shown(rewritten - alternate)
    if less is False:
        return Screening(False, f"it does not keep the content: {text}", numbers)
    return Screening(True if more else None, text, numbers)


def keeps_no_marks(rows: Sequence[RewrittenRow]) -> Screening:
    """Check that the marks by which a classifier knows the original teacher are gone from rewritten rollouts.

    A logistic regression on words and on pieces of words learns, on other prompts, to tell the original
    teacher's answers from the alternate teacher's. Its marks of the original teacher are the features with a
    weight above 0; what of them an answer holds is its score. The rewriter's own manner has no weight in it,
    and words that depend on the prompt hardly have, since the classifier has not seen the prompt.

    Args:
        rows: The answers.

    Returns:
        It fits if rewritten rollouts are shown to hold less than a third of the marks, the alternate
        teacher's counted as none; and where the two teachers cannot be told apart, as no manner is there.
    """
    step = max(1, -(-len(rows) // MOST_ROWS))
    chosen = list(rows[::step])
    if len(chosen) < LEAST_ROWS:
        return Screening(None, f"{len(chosen)} rollouts are too few to know a manner by")
    original, rewritten, alternate = _marks(chosen).T
    apart = float(((original > alternate) + 0.5 * (original == alternate)).mean())
    error = Z * 0.5 / np.sqrt(len(chosen))
    numbers: dict[str, float | None] = {"original told from alternate": apart}
    if apart - error <= TOLD_APART:
        text = f"in {apart:.0%} of pairs a classifier tells the original teacher from the alternate one"
        if apart + error > TOLD_APART + 2 * error:
            return Screening(None, text, numbers)
        return Screening(True, f"no manner is seen that it could leave: {text}", numbers)
    span = original - alternate
    left = float((rewritten - alternate).mean() / span.mean())
    numbers |= {
        "rewritten told from alternate": float(
            ((rewritten > alternate) + 0.5 * (rewritten == alternate)).mean()
        ),
        "marks left": left,
    }
    text = f"{max(left, 0.0):.0%} of the marks of the original teacher's manner are left"
    shown = _shown(MARKS_LEFT * span - (rewritten - alternate))
    return Screening(shown, text if shown is not False else f"it does not lose the manner: {text}", numbers)


def _marks(rows: Sequence[RewrittenRow]) -> Floats:
    """Return what every answer holds of the original teacher's marks: (rows, 3), each by a classifier that
    has not seen the prompt."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    held = np.zeros((len(rows), 3))
    for fold in range(FOLDS):
        seen = [row for place, row in enumerate(rows) if place % FOLDS != fold]
        places = [place for place in range(len(rows)) if place % FOLDS == fold]
        texts = [*(row.original for row in seen), *(row.alternate for row in seen)]
        kinds = (
            TfidfVectorizer(token_pattern=r"(?u)\b\w+\b|[^\w\s]", ngram_range=(1, 2)),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), min_df=2),
        )
        features = hstack([kind.fit_transform(texts) for kind in kinds]).tocsr()
        model = LogisticRegression(C=10.0, max_iter=400)
        model.fit(features, np.repeat([1, 0], len(seen)))
        marks = np.clip(model.coef_[0], 0.0, None)
        for column, name in enumerate(("original", "rewritten", "alternate")):
            asked = [getattr(rows[place], name) for place in places]
            held[places, column] = hstack([kind.transform(asked) for kind in kinds]).tocsr() @ marks
    return held


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _shown(values: Floats) -> bool | None:
    """Return whether the mean is shown to be above 0 (True) or below (False), each at 5 % one-sided; None:
    neither."""
    from scipy.special import stdtrit

    mean, n = float(values.mean()), len(values)
    half = float(stdtrit(n - 1, 0.95)) * float(values.std(ddof=1)) / np.sqrt(n)
    return True if mean - half > 0 else False if mean + half < 0 else None
