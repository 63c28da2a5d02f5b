"""Locating: which prompts of the original teacher's carry a trait, as few as do, from students on random
assignments.
"""

from mendel.diagnose.locate.clusters import Features, one_hot
from mendel.diagnose.locate.confirming import ARMS, FEWEST, Check, Confirmation, confirm
from mendel.diagnose.locate.ranking import Observation, Ranking, rank
from mendel.diagnose.locate.screening import balanced_design
from mendel.diagnose.locate.search import Round, Search, SearchPlan
from mendel.diagnose.locate.splits import PromptTexts, Split, splits_of

__all__ = [
    "ARMS",
    "FEWEST",
    "Check",
    "Confirmation",
    "Features",
    "Observation",
    "PromptTexts",
    "Ranking",
    "Round",
    "Search",
    "SearchPlan",
    "Split",
    "balanced_design",
    "confirm",
    "one_hot",
    "rank",
    "splits_of",
]
