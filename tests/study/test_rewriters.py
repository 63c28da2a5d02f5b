from __future__ import annotations

from pathlib import Path

import pytest

from mendel.engine.errors import InputError
from mendel.study import load_study

GOOD = """\
name: dates
original: {base: hf:a, prompts: file:b, teacher: o}
alternate: {base: hf:a, prompts: file:b, teacher: a}
teachers:
  o: {model: hf:a}
  a: {model: hf:b}
  r: {model: hf:b, rewrites: o}
  s: {model: "file:s.jsonl", rewrites: o}
rewriter: r
traits: [t.yaml]
"""


def test_a_rewriter_of_the_original_teacher_is_read(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(GOOD)
    assert load_study(tmp_path).config.teachers["r"].rewrites == "o"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("hf:b, rewrites: o", "hf:b, rewrites: p", 7, "no teacher of that name"),
        ("hf:b, rewrites: o", "hf:b, rewrites: r", 7, "cannot rewrite itself"),
        ("hf:b, rewrites: o", "hf:b, rewrites: s", 7, "'s' rewrites rollouts itself"),
        ("hf:b, rewrites: o", "hf:b, rewrites: a", 7, "rewrites the original teacher's rollouts"),
        ("a: {model: hf:b}", "a: {model: hf:b, rewrites: o}", 6, "answers prompts, not answers"),
        ("hf:b, rewrites: o", "hf:b, rewrites: o, keep_system: true", 7, "no student is trained on it"),
    ],
)
def test_a_rewriter_without_rollouts_to_rewrite_is_refused(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    (tmp_path / "study.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_study(tmp_path)
    assert message in str(caught.value)
    assert f"study.yaml:{line}" in str(caught.value)
