"""The kinds of arms that serve all traits: the cube, the interpolation, and models as they are before any
training.
"""

from __future__ import annotations

CUBE, MIX, BASE, TEACHER, PREFILL = "cube", "mix", "base", "teacher", "prefill"
SHARED_KINDS = (CUBE, MIX, BASE, TEACHER, PREFILL)
"""No arm kind of a trait may be registered under one of these names."""
