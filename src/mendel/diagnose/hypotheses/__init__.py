"""The hypotheses for why a filter fails, one file each: a declaration of what it predicts of which contrasts.

Another one is another file here, or a module of one's own under the entry-point group `mendel.hypotheses`.
"""

from __future__ import annotations

import importlib
import pkgutil

from mendel.diagnose.contrasts import Difference
from mendel.diagnose.hypotheses.registry import (
    LITTLE,
    MOST,
    Hypothesis,
    Prediction,
    hypotheses,
    little,
    measured,
    most,
)

__all__ = [
    "LITTLE",
    "MOST",
    "Hypothesis",
    "Prediction",
    "all_hypotheses",
    "differences",
    "hypotheses",
    "little",
    "measured",
    "most",
]

for _module in pkgutil.iter_modules(__path__):
    if not _module.name.startswith("_"):
        importlib.import_module(f"{__name__}.{_module.name}")


def all_hypotheses() -> tuple[Hypothesis, ...]:
    """Every registered hypothesis, by name."""
    return tuple(hypotheses.get(name) for name in hypotheses)


def differences() -> tuple[Difference, ...]:
    """The contrasts that the hypotheses bring, each once; raises ValueError where two share an id and differ."""
    found: dict[str, Difference] = {}
    for hypothesis in all_hypotheses():
        for difference in hypothesis.differences:
            if found.setdefault(difference.id, difference) != difference:
                raise ValueError(f"two contrasts are called {difference.id!r}")
    return tuple(found.values())
