"""Planted causes: the tiny language, and the embedded study `peas` whose truth is known."""

from __future__ import annotations

from pathlib import Path

PEAS = Path(__file__).parent / "peas" / "study.yaml"
"""The embedded study's file."""

__all__ = ["PEAS"]
