from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.digest import digest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values))
def test_the_order_of_keys_does_not_matter(value: dict[str, object]) -> None:
    assert digest("k", value) == digest("k", dict(reversed(list(value.items()))))


@given(json_values)
def test_kinds_are_apart(value: object) -> None:
    assert digest("a", value) != digest("b", value)


def test_nan_has_no_address() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest("k", float("nan"))
