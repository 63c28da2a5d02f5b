from __future__ import annotations

import pickle

import pytest

from mendel.engine.errors import BudgetSpent, InputError, MendelError, RunError, did_you_mean


def test_a_message_says_where_what_value_allowed_and_how_to_mend() -> None:
    error = InputError(
        "wrong scheme", where="a.yaml:3", value="ftp:x", allowed="hf:, file:", fix="Write hf:x."
    )
    assert str(error) == "a.yaml:3: wrong scheme (got 'ftp:x'; allowed: hf:, file:). Write hf:x."


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (RunError, 1), (BudgetSpent, 3)])
def test_errors_cross_process_borders_with_their_exit_code(kind: type[MendelError], code: int) -> None:
    error = pickle.loads(pickle.dumps(kind("what", where="here", fix="so")))
    assert type(error) is kind
    assert (str(error), error.exit_code) == ("here: what. so", code)


def test_the_closest_word_is_named_and_all_where_none_is_close() -> None:
    assert did_you_mean("teecher", ["teacher", "base"]) == "Did you mean 'teacher'?"
    assert did_you_mean("zzz", ["b", "a"]) == "Known: a, b."
