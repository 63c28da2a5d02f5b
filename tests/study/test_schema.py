"""The study's schema: every field is described, and what is new leaves names in the store as they are."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from mendel.data.selectors import Context
from mendel.study import load_study, schema
from mendel.study.schema import SelectConfig

MODELS = [
    value
    for value in vars(schema).values()
    if isinstance(value, type) and issubclass(value, schema.Config) and value is not schema.Config
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_has_a_description_in_whole_sentences(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_a_selector_without_options_keeps_the_name_of_its_scores() -> None:
    # Scores in stores are found by this name; measured before there were options.
    assert "options" not in SelectConfig(by="length").model_dump()
    key = Context(config=SelectConfig(by="length", share=0.1)).key
    assert key == Context(config=SelectConfig(by="length", share=0.1, options={})).key
    assert key != Context(config=SelectConfig(by="length", share=0.1, options={"longest": 3})).key


def test_jobs_run_on_this_machine_unless_the_study_says_where() -> None:
    assert load_study().config.engine == "local"
    assert load_study().config.recipe.trainer in ("fleet", "trl")
