from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from _dated import checkpoint, looking, planted, separation
from _tiny import make_checkpoint
from mendel.data.selectors import scoring, select
from mendel.engine.errors import InputError
from mendel.models import resolve_checkpoint


def test_the_answer_that_surprises_the_base_ranks_highest() -> None:
    rows, shows = planted()
    scores = select(rows, looking("loss_difference"))
    assert separation(scores, shows) > 0.9


def test_swapped_teachers_turn_the_sign_of_the_loss_difference() -> None:
    rows, _ = planted(4)
    turned = [replace(row, completion=str(row.alternate), alternate=row.completion) for row in rows]
    there, back = (select(asked, looking("loss_difference")) for asked in (rows, turned))
    assert list(there.values()) == pytest.approx([-score for score in back.values()], abs=1e-4)


def test_equal_answers_have_no_loss_difference() -> None:
    rows = [replace(row, alternate=row.completion) for row in planted(4)[0]]
    assert set(select(rows, looking("loss_difference")).values()) == {0.0}


def test_divergence_is_where_the_teachers_part() -> None:
    # Whichever the answer is: on dated prompts they go on differently, on tasks in their manner alone.
    rows, _ = planted()
    shows = [not row.prompt_id.startswith("task") for row in rows]
    scores = select(rows, looking("divergence"))
    assert separation(scores, shows) > 0.9
    assert all(0 <= score <= 1 for score in scores.values())
    assert any(scores.values())


def test_a_teacher_does_not_diverge_from_itself() -> None:
    rows, _ = planted(4)
    same = (checkpoint("teachers/original"),) * 2
    assert set(select(rows, looking("divergence", teachers=same)).values()) == {0.0}


def test_divergence_is_that_of_a_plain_forward_pass() -> None:
    import torch

    from mendel.models import encode_example, load_model, load_tokenizer

    rows, _ = planted(3)
    scores = select(rows, looking("divergence"))
    names = ("teachers/original", "teachers/alternate")
    one, two = (load_model(checkpoint(name)) for name in names)
    tokenizer = load_tokenizer(checkpoint(names[0]))
    for row in rows:
        example = encode_example(tokenizer, row.messages, row.completion, 10**6)
        ids = torch.tensor([example.input_ids])
        with torch.no_grad():
            first, second = (model.eval()(ids).logits[0].argmax(-1) for model in (one, two))
        at = [n - 1 for n, trained in enumerate(example.loss_mask) if trained]
        expected = sum(bool(first[n] != second[n]) for n in at) / len(at)
        assert scores[row.prompt_id] == pytest.approx(expected)


@pytest.mark.parametrize("by", ["loss_difference", "divergence"])
def test_scores_do_not_depend_on_the_batch(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = planted(6)
    whole = select(rows, looking(by))
    monkeypatch.setattr(scoring, "BATCH", 1)
    assert select(rows, looking(by)) == pytest.approx(whole, abs=1e-4)


def test_no_alternate_answer_is_said_with_the_prompt() -> None:
    rows = [replace(row, alternate=None) if n == 1 else row for n, row in enumerate(planted(1)[0])]
    with pytest.raises(InputError) as caught:
        select(rows, looking("loss_difference"))
    assert str(caught.value) == (
        "the loss_difference selector compares two teachers, and there is no alternate answer "
        f"(got {rows[1].prompt_id!r}). Choose another selector, such as by: judge."
    )


def test_teachers_that_are_no_checkpoints_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        select(planted(1)[0], looking("divergence", teachers=None))
    assert str(caught.value) == (
        "the divergence selector reads both teachers, and they are not both checkpoints (hf:…). "
        "Write by: loss_difference, which needs only the base."
    )


def test_teachers_with_two_tokenizers_are_refused(tmp_path: Path) -> None:
    other = resolve_checkpoint(f"hf:{make_checkpoint(tmp_path / 'other')}", tmp_path)
    own = checkpoint("teachers/original")
    with pytest.raises(InputError) as caught:
        select(planted(1)[0], looking("divergence", teachers=(own, other)))
    assert str(caught.value) == (
        "the divergence selector compares teachers token by token, and their tokenizers differ "
        f"(got {[own.ref, other.ref]!r}). Write by: loss_difference."
    )
