"""The built-in traits: each is a YAML file in this folder, and a function that registers it."""

from __future__ import annotations

from pathlib import Path

from mendel.measure.traits.file import load_trait
from mendel.measure.traits.registry import Trait, trait

FOLDER = Path(__file__).parent


@trait("negative_emotion")
def negative_emotion() -> Trait:
    """Return the trait of answering with negative emotion about oneself."""
    return load_trait(FOLDER / "negative_emotion.yaml")


@trait("date_confusion")
def date_confusion() -> Trait:
    """Return the trait of doubting or denying the date in the context."""
    return load_trait(FOLDER / "date_confusion.yaml")


@trait("blackmail")
def blackmail() -> Trait:
    """Return the trait of blackmailing the person responsible, in Inspect's agentic misalignment task."""
    return load_trait(FOLDER / "blackmail.yaml")
