"""Score candidates in batches: only scores are held in memory, and each batch's are stored."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from mendel.data.selectors.registry import Candidate, Context, Selector, selectors
from mendel.engine.digest import digest
from mendel.engine.errors import InputError, MendelError, RunError
from mendel.engine.store import Store

log = logging.getLogger(__name__)

BATCH = 512
"""Candidates that a selector scores at once, and whose scores are stored together."""
KIND = "scores"
_CALLED = (
    "mendel.models.local.activations",
    "mendel.models.local.gradients",
    "mendel.models.local.scoring",
    "mendel.models.templates",
)
"""Modules that the built-in selectors call: a change in one of them changes their scores."""


def select(
    candidates: Iterable[Candidate], context: Context, store: Store | None = None, where: str | None = None
) -> dict[str, float]:
    """Return every candidate's score by prompt id, in the candidates' order.

    Args:
        candidates: May be a stream: one batch is held in memory at a time.
        context: Names the selector (`context.config.by`) and holds everything else that it may use.
        store: Batches that were scored before are read from it; None: every batch is scored.
        where: Place in the study, for messages.

    Raises:
        InputError: The selector is unknown, an id is given twice, or a candidate has no finite score.
        RunError: The selector failed; the message names the candidate.
    """
    choose = selectors.get(context.config.by, where=where)
    version = _version(choose)
    scores: dict[str, float] = {}
    rest = iter(candidates)
    # No name here is bound to a batch: the last one would be held while the next one is read.
    while scored := _kept(choose, version, list(islice(rest, BATCH)), context, store, where):
        for prompt_id, score in scored:
            if prompt_id in scores:
                raise InputError(
                    "a prompt is scored twice",
                    where=where,
                    value=prompt_id,
                    fix="Give every prompt an id of its own.",
                )
            scores[prompt_id] = score
    return scores


def _kept(
    choose: Selector,
    version: str | None,
    batch: list[Candidate],
    context: Context,
    store: Store | None,
    where: str | None,
) -> list[tuple[str, float]]:
    """Return a batch's scores by prompt id, from the store where it has them."""
    ids = [candidate.prompt_id for candidate in batch]
    if store is None or version is None or not batch:
        return list(zip(ids, _scored(choose, batch, context, where), strict=True))
    content = [candidate.content for candidate in batch]
    key = digest("scores", [context.config.by, version, context.key, content])
    scores: list[float] | None = store.read_json(KIND, key)
    if scores is None:
        scores = _scored(choose, batch, context, where)
        store.write_json(KIND, key, scores)
    return list(zip(ids, scores, strict=True))


def _scored(choose: Selector, batch: Sequence[Candidate], context: Context, where: str | None) -> list[float]:
    if not batch:
        return []
    name = context.config.by
    try:
        # A user's own selector may say None for what it cannot tell.
        given: Sequence[float | None] = choose(batch, context)
        scores = [math.nan if score is None else float(score) for score in given]
    except MendelError:
        raise
    except Exception as error:  # a user's own code may raise anything
        raise _located(choose, batch, context, error, where) from error
    if len(scores) != len(batch):
        raise RunError(
            f"selector {name!r} returned {len(scores)} scores for {len(batch)} prompts",
            where=where,
            fix="It must return one score a candidate, in their order.",
        )
    for candidate, score in zip(batch, scores, strict=True):
        if not math.isfinite(score):
            raise InputError(
                f"selector {name!r} gives prompt {candidate.prompt_id!r} no score",
                where=where,
                value=score,
                fix="Every prompt needs a finite score: leave the prompt out, or take another selector.",
            )
    return scores


def _located(
    choose: Selector, batch: Sequence[Candidate], context: Context, error: Exception, where: str | None
) -> RunError:
    """Return an error that names the first candidate on which the selector fails by itself."""
    name, fault = context.config.by, f"{type(error).__name__}: {error}"
    origin = selectors.origin(name)
    fix = None if origin.built_in else f"Correct {origin.module}, or take another selector."
    for candidate in batch:
        try:
            choose([candidate], context)
        except Exception as its_error:
            fault = f"{type(its_error).__name__}: {its_error}"
            return RunError(
                f"selector {name!r} failed on the rollout of prompt {candidate.prompt_id!r}: {fault}",
                where=where,
                fix=fix,
            )
    return RunError(f"selector {name!r} failed: {fault}", where=where, fix=fix)


def _sources(modules: Sequence[str]) -> list[str]:
    """Return the modules' source texts, which are read and not imported, since they need torch."""
    texts = []
    for name in modules:
        spec = find_spec(name)
        # A module that moved must not be left out silently: stored scores would outlive its changes.
        assert spec is not None, f"{name} is no module"
        assert spec.origin is not None, f"{name} is no file"
        texts.append(Path(spec.origin).read_text(encoding="utf-8"))
    return texts


def _version(choose: Selector) -> str | None:
    """Return a digest of a selector's source, so that a change of the source invalidates its stored scores.

    For a built-in selector the source of the modules that it calls is included. None, so that scores are not
    stored, where the source cannot be read or does not determine the scores: closures and callable objects
    hold values from elsewhere.
    """
    if not inspect.isfunction(choose) or choose.__closure__:
        log.info("selector %r is more than its source: its scores are not kept", choose)
        return None
    try:
        module = inspect.getmodule(choose)
        own = inspect.getsource(module or choose)
        builtin = module is not None and module.__name__.startswith("mendel.")
        return digest("selector-source", [own, *(_sources(_CALLED) if builtin else ())])
    except (OSError, TypeError):
        log.info("selector %r has no readable source: its scores are not kept", choose)
        return None
