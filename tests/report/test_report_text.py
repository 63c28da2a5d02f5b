"""Text that others wrote is made inert."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.text import clean, one_line, shorten


@given(st.text(st.characters(codec=None)))
def test_clean_leaves_nothing_that_acts(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert clean(cleaned) == cleaned


@given(st.text(max_size=60), st.integers(1, 30))
def test_shorten_says_how_much_is_left_out(text: str, limit: int) -> None:
    if len(text) > limit:
        assert shorten(text, limit).endswith(f"… ({len(text) - limit} more characters)")
    assert "\n" not in one_line(text, limit)


def test_marks_do_not_pile_up() -> None:
    assert len(clean("Z" + "\u0351" * 50)) == 5
