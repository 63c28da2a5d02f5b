"""Traits: what a model is asked, and how its answers are scored. `registry.py` says what a trait is.

The built-in ones are the YAML files of `builtin/`; each is an example of a trait file.
"""

from mendel.measure.traits import builtin
from mendel.measure.traits.file import find_trait, load_trait
from mendel.measure.traits.judge_choice import judged_by, model_judge, needs_model
from mendel.measure.traits.new import trait_new
from mendel.measure.traits.registry import Generation, LogOdds, Trait, after_opener, trait, traits

__all__ = [
    "Generation",
    "LogOdds",
    "Trait",
    "after_opener",
    "builtin",
    "find_trait",
    "judged_by",
    "load_trait",
    "model_judge",
    "needs_model",
    "trait",
    "trait_new",
    "traits",
]
