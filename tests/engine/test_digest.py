from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.digest import canonical, digest, text_digest

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


@given(json_values)
def test_a_name_put_together_from_parts_is_the_digest_of_the_whole(value: object) -> None:
    whole = json.dumps(
        ["k", value], sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    assert f'["k",{canonical(value)}]' == whole
    assert text_digest(whole) == digest("k", value)
    assert digest("k", value) == hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def test_nan_has_no_address() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest("k", float("nan"))
