"""The study file: its schema, loading with errors that name the line, references, the built-in studies."""

from mendel.study._yaml import load_yaml, read_yaml
from mendel.study.loading import LineNumbers, Study, built_in_study, load_study
from mendel.study.schema import (
    BudgetConfig,
    Config,
    PipelineConfig,
    RecipeConfig,
    SelectConfig,
    StudyConfig,
    TeacherConfig,
    TraitConfig,
)

__all__ = [
    "BudgetConfig",
    "Config",
    "LineNumbers",
    "PipelineConfig",
    "RecipeConfig",
    "SelectConfig",
    "Study",
    "StudyConfig",
    "TeacherConfig",
    "TraitConfig",
    "built_in_study",
    "load_study",
    "load_yaml",
    "read_yaml",
]
