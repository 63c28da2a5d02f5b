from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mendel.engine.errors import InputError
from mendel.measure.judges import Rubric
from mendel.measure.labels import (
    Label,
    SessionCounts,
    Unlabelled,
    append_label,
    label_session,
    read_labels,
    rubric_id,
    unlabelled,
    visible,
    write_labels,
)

RUBRIC = Rubric("How sad it is.\n0: not.\n10: very.", 0.0, 10.0, 5.0)
PROMPT = ({"role": "user", "content": "How are you?"},)
INJECTIONS = [
    json.loads(line)["response"]
    for line in Path(__file__).with_name("judges").joinpath("injections.jsonl").read_text().splitlines()
]


def item(response: str = "Fine.", scenario: str = "s1") -> Unlabelled:
    return Unlabelled("mood", scenario, "c", PROMPT, response)  # type: ignore[arg-type]


def row(**changes: object) -> dict[str, object]:
    return {**Label(item(), 3.0, rubric_id(RUBRIC)).json(), **changes}


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


class Person:
    """Says what it is told to, keeps what it was told; at the end of its answers it leaves."""

    def __init__(self, *answers: str) -> None:
        self.answers: Iterator[str] = iter(answers)
        self.told: list[str] = []

    def ask(self, question: str) -> str:
        try:
            return next(self.answers)
        except StopIteration:
            raise EOFError from None

    @property
    def shown(self) -> list[str]:
        """The responses, in the order they were shown."""
        return [text.rpartition("[response]\n")[2] for text in self.told if text.startswith("\n---")]


def session(rows: list[Unlabelled], path: Path, *answers: str) -> tuple[SessionCounts, Person]:
    person = Person(*answers)
    return label_session(rows, RUBRIC, path, person.ask, person.told.append), person


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "labels.jsonl"


# The file.


@given(
    st.lists(
        st.builds(
            Label,
            st.builds(item, st.text(), st.text(min_size=1)),
            st.floats(0, 10),
            st.just(rubric_id(RUBRIC)),
            st.text(),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda label: label.of.key,
    )
)
def test_labels_come_back_as_they_were_written(labels: list[Label]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.jsonl"
        for label in labels:
            append_label(file, label)
        assert read_labels(file, "mood", RUBRIC) == tuple(labels)


def test_a_last_line_without_its_end_is_not_run_into(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps(row()))
    append_label(path, Label(item("Bad."), 9.0, rubric_id(RUBRIC)))
    assert [label.score for label in read_labels(path)] == [3.0, 9.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"response": None}, "labels.jsonl:2: no 'response' (keys: "),
        ({"score": None, "scores": 3}, "labels.jsonl:2: no 'score' (keys: "),
        (
            {"score": "3"},
            "labels.jsonl:2: 'score' is no number (got '3'). Write a number on the rubric's scale.",
        ),
        (
            {"score": True},
            "labels.jsonl:2: 'score' is no number (got True). Write a number on the rubric's scale.",
        ),
        ({"score": 11}, "labels.jsonl:2: the score is off the rubric's scale (got 11.0; allowed: 0 to 10)"),
        ({"cluster": 7}, "labels.jsonl:2: 'cluster' is no text (got 7). Write it between quotes."),
        ({"note": 7}, "labels.jsonl:2: 'note' is no text (got 7). Write it between quotes."),
        ({"prompt": "Hi"}, "labels.jsonl:2: 'prompt' is neither messages nor JSON (got 'Hi')"),
        ({"prompt": [{"role": "user"}]}, "labels.jsonl:2: turn 1 has no text"),
        ({"rubric": "01234567"}, "labels.jsonl:2: the label is by another rubric (got '01234567'; allowed: "),
        ({}, "labels.jsonl:2: the response to scenario 's1' is labelled twice, first in "),
        ({"scenario": "s2"}, "labels.jsonl:2: the response to scenario 's2' is labelled twice, first in "),
    ],
)
def test_what_is_no_label_is_named_with_its_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    file = written(tmp_path / "labels.jsonl", row(), row(**changes))
    if changes and "scenario" not in changes:
        file = written(file, row(), row(response="Bad.") | changes)
    with pytest.raises(InputError) as caught:
        read_labels(file, rubric=RUBRIC)
    assert message in str(caught.value)


def test_a_misspelt_key_is_answered_with_the_one_that_was_meant(tmp_path: Path) -> None:
    wrong = row()
    wrong["clutser"] = wrong.pop("cluster")
    with pytest.raises(InputError, match="Did you mean it by 'clutser'"):
        read_labels(written(tmp_path / "labels.jsonl", wrong))


def test_a_file_can_hold_labels_of_several_traits(tmp_path: Path) -> None:
    file = written(tmp_path / "labels.jsonl", row(), row(trait="other", rubric="01234567", score=99))
    assert [label.of.trait for label in read_labels(file, "mood", RUBRIC)] == ["mood"]
    assert len(read_labels(file)) == 2


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "labels.jsonl")
    with pytest.raises(InputError, match=r"Name the file \.jsonl"):
        read_labels(tmp_path / "labels.json")


def test_the_rubrics_id_is_of_its_text_and_scale() -> None:
    others = [replace(RUBRIC, text="Else."), replace(RUBRIC, low=1.0), replace(RUBRIC, high=9.0)]
    assert len({rubric_id(r) for r in [RUBRIC, *others]}) == 4
    assert rubric_id(replace(RUBRIC, hit_at=6.0)) == rubric_id(RUBRIC)


def test_a_row_of_measurements_leaves_its_scores_behind() -> None:
    measured = {**row(), "prompt": json.dumps([*PROMPT]), "score": 9.0, "hit": True, "student": "x"}
    assert unlabelled(measured, "here") == item()


# The session.


def test_each_label_is_written_at_once(path: Path) -> None:
    person = Person()
    rows = [item(f"Answer {n}.") for n in range(3)]
    lengths: list[int] = []

    def ask(_: str) -> str:
        lengths.append(len(path.read_text().splitlines()) if path.exists() else 0)
        return "4 not so bad"

    assert label_session(rows, RUBRIC, path, ask, person.told.append) == SessionCounts(3, 0, 0)
    assert lengths == [0, 1, 2]
    labels = read_labels(path, "mood", RUBRIC)
    assert sorted(label.of.response for label in labels) == [row.response for row in rows]
    assert {(label.score, label.note) for label in labels} == {(4.0, "not so bad")}


def test_a_session_goes_on_where_one_stopped(path: Path) -> None:
    rows = [item(f"Answer {n}.") for n in range(5)]
    first, person = session(rows, path, "1", "2", "q")
    second, again = session(rows[::-1], path, "3", "4", "5")
    assert (first, second) == (SessionCounts(2, 0, 3), SessionCounts(3, 0, 0))
    assert again.told[1].startswith("\n--- 3 of 5 ---")
    assert person.shown + again.shown[1:] == [label.of.response for label in read_labels(path)]
    third, nothing = session(rows, path)
    assert third == SessionCounts(0, 0, 0)
    assert nothing.shown == []


def test_the_order_is_shuffled_and_always_the_same(tmp_path: Path) -> None:
    rows = [item(f"Answer {n}.") for n in range(20)]
    orders = []
    for number, given_rows in enumerate((rows, rows[::-1], [*rows, rows[0]])):
        orders.append(session(given_rows, tmp_path / f"{number}.jsonl", *["0"] * 20)[1].shown)
    assert orders[0] == orders[1] == orders[2], "neither the order nor doubles matter"
    assert orders[0] not in ([r.response for r in rows], [r.response for r in rows[::-1]])
    more = session([*rows, item("Another.")], tmp_path / "more.jsonl", *["0"] * 21)[1].shown
    assert [text for text in more if text != "Another."] != orders[0]


def test_skipped_ones_come_again_in_the_next_session(path: Path) -> None:
    rows = [item(f"Answer {n}.") for n in range(3)]
    done, person = session(rows, path, "s", "1", "S")
    assert done == SessionCounts(1, 2, 2)
    assert set(session(rows, path, "0", "0")[1].shown) == {person.shown[0], person.shown[2]}


def test_undo_takes_the_last_one_back(path: Path) -> None:
    rows = [item(f"Answer {n}.") for n in range(3)]
    done, person = session(rows, path, "u", "1", "s", "u", "u", "9", "2", "3")
    assert done == SessionCounts(3, 0, 0)
    assert "Nothing to undo in this session." in person.told
    order = person.shown
    assert order[0] == order[1] == order[5]
    assert [label.score for label in read_labels(path)] == [9.0, 2.0, 3.0]


def test_undo_leaves_the_labels_of_earlier_sessions(path: Path) -> None:
    rows = [item(f"Answer {n}.") for n in range(2)]
    session(rows, path, "1", "q")
    before = path.read_bytes()
    session(rows, path, "2", "q")
    path.write_bytes(before)
    session(rows, path, "u", "7", "q")
    assert path.read_bytes().startswith(before)


@pytest.mark.parametrize("wrong", ["11", "-1", "seven", "nan", "inf", "", "7/10", "\x1b[2J"])
def test_only_scores_on_the_scale_are_taken(path: Path, wrong: str) -> None:
    done, person = session([item()], path, wrong, "7,5")
    assert done == SessionCounts(1, 0, 0)
    assert person.told[-1] == f"{visible(wrong)!r} is no score from 0 to 10."
    assert read_labels(path)[0].score == 7.5


def test_the_rubric_is_shown_once_and_no_score_of_a_judge(path: Path) -> None:
    _, person = session([item("Answer 1."), item("Answer 2.")], path, "1", "2")
    everything = "\n".join(person.told)
    assert everything.count(RUBRIC.text) == 1
    assert person.told[0].startswith(RUBRIC.text)
    assert "s1" not in everything


def test_long_ones_are_cut_and_can_be_seen_whole(path: Path) -> None:
    long = "\n".join(f"line {n}" for n in range(500))
    _, person = session([item(long)], path, "a", "1")
    assert "line 499" not in person.told[1]
    assert person.told[1].endswith("characters more: a shows all")
    assert person.told[2].endswith(long)
    assert len(session([item("x" * 100_000)], path.with_name("b.jsonl"))[1].told[1]) < 5000


@pytest.mark.parametrize("response", INJECTIONS)
def test_no_response_drives_the_terminal(tmp_path: Path, response: str) -> None:
    _, person = session([item(response)], tmp_path / "labels.jsonl", "a", "0")
    assert all(c in "\n\t" or unicodedata.category(c)[0] != "C" for text in person.told for c in text)
    assert read_labels(tmp_path / "labels.jsonl")[0].of.response == response


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_invisible_is_made_visible(text: str) -> None:
    shown = visible(text)
    assert all(c in "\n\t" or unicodedata.category(c)[0] != "C" for c in shown)
    assert visible(shown) == shown


def test_plain_text_is_shown_as_it_is() -> None:
    text = "Größe: 5 €\n\t“quoted” 哈 🙂 e\u0301"
    assert visible(text) == text
    assert visible("\x1b[31m\u202e") == "⟨U+001B⟩[31m⟨U+202E⟩"


def test_rows_of_two_traits_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="one trait"):
        session([item(), replace(item("Bad."), trait="other")], path)


def test_labels_by_another_rubric_stop_the_session(path: Path) -> None:
    session([item()], path, "3")
    person = Person()
    with pytest.raises(InputError, match="the label is by another rubric"):
        label_session([item()], replace(RUBRIC, text="Else."), path, person.ask, person.told.append)


def test_a_generated_file_labels_equal_responses_once_and_comes_back(tmp_path: Path) -> None:
    labels = [
        Label(item(text), score, rubric_id(RUBRIC)) for text, score in [("a", 1.0), ("b", 2.0), ("a", 1.0)]
    ]
    file = tmp_path / "l.jsonl"
    file.write_text("what was there before\n")
    write_labels(file, labels)
    assert read_labels(file, "mood", RUBRIC) == tuple(labels[:2])


def test_rows_in_a_random_order_are_asked_in_this_order(tmp_path: Path) -> None:
    rows = [item(text) for text in "dbcaed"]
    person = Person(*"11111")
    label_session(rows, RUBRIC, tmp_path / "l.jsonl", person.ask, person.told.append, shuffle=False)
    assert [label.of.response for label in read_labels(tmp_path / "l.jsonl")] == list("dbcae")
