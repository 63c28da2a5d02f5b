"""A selector's own options: as its model has them in the context, refused at their line, a part of its scores' name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from mendel.data.selectors import Candidate, Context, check_selector, select, selector, selectors
from mendel.engine.errors import InputError
from mendel.engine.store import Store
from mendel.study.schema import SelectConfig

CANDIDATES = [Candidate("a", (), "x" * 10), Candidate("b", (), "x" * 40)]


class BrevityOptions(BaseModel):
    longest: int = Field(default=20, ge=1)


def brevity(candidates: Sequence[Candidate], context: Context) -> list[float]:
    return [max(0.0, 1 - len(c.completion) / context.options.longest) for c in candidates]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    selector("brevity", options=BrevityOptions)(brevity)
    yield
    selectors.remove("brevity")


def config(**options: object) -> SelectConfig:
    return SelectConfig(by="brevity", options=options)


def line(*keys: str | int) -> str:
    return f"study.yaml:{'.'.join(map(str, keys))}"


def test_the_context_has_the_options_as_the_selectors_model(tmp_path: Path) -> None:
    assert select(CANDIDATES, Context(config())) == {"a": 0.5, "b": 0.0}
    assert select(CANDIDATES, Context(config(longest=80))) == {"a": 0.875, "b": 0.5}


def test_scores_by_other_options_are_other_scores(tmp_path: Path) -> None:
    store = Store(tmp_path).prepare()
    first = select(CANDIDATES, Context(config(longest=40)), store)
    assert select(CANDIDATES, Context(config(longest=80)), store) != first
    assert select(CANDIDATES, Context(config(longest=40)), store) == first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"longset": 3}, r"study.yaml:options.longset: .* has no option 'longset'. Did you mean 'longest'"),
        ({"longest": 0}, r"study.yaml:options.longest: option 'longest' of .*greater than or equal to 1"),
        ({"longest": "x"}, r"study.yaml:options.longest: option 'longest' of .*valid integer.*got 'x'"),
    ],
)
def test_a_wrong_option_is_refused_at_its_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_selector(config(**options), "study.yaml:select", line)


def test_a_built_in_selector_takes_no_options() -> None:
    with pytest.raises(
        InputError, match=r"study.yaml:options.longest: the selector 'length' takes no options"
    ):
        check_selector(SelectConfig(by="length", options={"longest": 3}), "study.yaml:select", line)
