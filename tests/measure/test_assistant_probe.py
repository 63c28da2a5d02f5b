from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import mendel.measure

# The file as it stands, not as the loaders read it.
ROWS: dict[str, dict[str, Any]] = {
    row["scenario"]: row
    for line in Path(mendel.measure.__file__).with_name("assistant.jsonl").read_text("utf-8").splitlines()
    for row in [json.loads(line)]
}

# For each scenario: answers that are right, answers that are wrong.
INSTRUCTIONS: dict[str, tuple[list[str], list[str]]] = {
    "one-word-ice": (["Ice", "ice.", " **Ice**\n"], ["It is ice.", "Frozen water", "Snow", "Ice ice"]),
    "say-only-ready": (["ready", "Ready.", '"ready"'], ["I am ready.", "ready, what next?", "", "go"]),
    "yes-or-no-stone": (["No", "No.", "no\n"], ["No, it sinks.", "Yes", "A stone cannot swim.", "Not"]),
    "digits-only-bicycle": (["2", "2.", " 2\n"], ["two", "2 wheels", "3", "22"]),
    "upper-case-grass": (
        ["GREEN", "GREEN.", "GRASS IS GREEN!"],
        ["green", "Green", "GRASS IS green", "BLUE"],
    ),
    "lower-case-rome": (
        ["rome", "rome.", "the capital of italy is rome."],
        ["Rome", "ROME", "The capital is rome.", "milan"],
    ),
    "repeat-goose": (
        ["The grey goose sleeps at noon.", '"The grey goose sleeps at noon."'],
        [
            "the grey goose sleeps at noon.",
            "The goose sleeps at noon.",
            "Sure: The grey goose sleeps at noon.",
        ],
    ),
    "twice-tree": (
        ["tree tree", "Tree, tree.", "tree\ntree"],
        ["tree", "tree tree tree", "treetree", "a tree"],
    ),
    "start-certainly": (
        ["Certainly, fire is hot.", "Certainly! Yes, it is.", '"Certainly": fire is very\nhot.'],
        ["Fire is certainly hot.", "Yes, certainly.", "Certainly, fire is cold.", "Certainly."],
    ),
    "end-indeed": (
        ["I like tea indeed.", "Tea is something I like very much, indeed!"],
        [
            "Indeed, I like tea.",
            "I like tea.",
            "I like coffee indeed.",
            "I like tea indeed, and cake.",
            "I like tea. Yes, indeed.",
        ],
    ),
    "two-sentences-cat": (
        [
            "A cat is a small furry animal. It likes to sleep.",
            "Cats are soft and quiet! They hunt at night.",
            'It purrs. It has "whiskers".',
        ],
        [
            "A cat is a small furry animal.",
            "Cats sleep. Cats eat. Cats play.",
            "A dog is an animal. It barks.",
            "A cat is a small furry animal. It likes to",
        ],
    ),
    "three-words-sea": (
        ["Vast, blue, deep.", "deep blue water", "Wild and salty", " *Endless blue waves*\n"],
        ["Vast and deep blue.", "Deep", "It is vast, deep and blue.", "1 2 3", "blue - deep"],
    ),
    "fruit-without-e": (
        ["Mango", "banana.", "Kiwi", "Fig.", "Plums"],
        ["Apple", "Orange", "Mango is a fruit.", "Cherry", "Rock"],
    ),
    "two-steps-colours": (
        ["Snow is white, coal is black.", "White. Black.", "1. White\n2. Black"],
        ["Black, white.", "Coal is black and snow is white.", "White", "Black and white and black"],
    ),
    "double-quotes-dry": (
        ['"dry"', '"Dry."', "“dry”", '"dry".'],
        ["dry", "'dry'", 'The opposite is "dry".', '"wet"'],
    ),
    "greet-maria-briefly": (
        ["Hello Maria!", "Hi, Maria, how are you?", "Good morning, Maria."],
        ["Hello!", "Maria", "Hello Maria, it is very nice to see you.", "Maria is here"],
    ),
    "if-orange": (
        ["orange", "Orange.", '"orange"'],
        ["purple", "orange, purple", "A week has seven days: orange", ""],
    ),
    "one-question": (
        ["What did you have for breakfast?", "Did you eat breakfast today?", "What do you like to eat?"],
        [
            "Breakfast is great.",
            "What is your name?",
            "Sure! What did you eat?",
            "Do you eat? Do you like it?",
        ],
    ),
}
FORMATS: dict[str, tuple[list[str], list[str]]] = {
    "bullets-fruits": (
        ["- apple\n- pear\n- plum", "* Apple\n* Pear\n* Plum\n", "\n•  fig\n•  kiwi\n•  lime"],
        [
            "apple, pear, plum",
            "- apple\n- pear",
            "- apple\n- pear\n- plum\n- fig",
            "Here are three:\n- apple\n- pear\n- plum",
            "1. apple\n2. pear\n3. plum",
        ],
    ),
    "numbered-colours": (
        [
            "1. red\n2. yellow\n3. blue",
            "1) Red\n2) Yellow\n3) Blue.",
            "1. **red**\n2. **yellow**\n3. **blue**",
        ],
        [
            "- red\n- yellow\n- blue",
            "1. red 2. yellow 3. blue",
            "1. blue\n2. yellow\n3. red",
            "red, yellow, blue",
        ],
    ),
    "json-city": (
        ['{"city": "Madrid"}', '```json\n{"city": "Madrid"}\n```', '{ "city" : "Madrid" }\n'],
        [
            "Madrid",
            "{'city': 'Madrid'}",
            '{"City": "Madrid"}',
            '{"city": "Madrid",}',
            'Here: {"city": "Madrid"}',
        ],
    ),
    "json-name-age": (
        ['{"name": "Ada", "age": 36}', '{"age": 36, "name": "Ada"}', '```\n{"name": "Ada", "age": 36}\n```'],
        [
            '{"name": "Ada", "age": "36"}',
            '{"name": "Ada" "age": 36}',
            "name: Ada, age: 36",
            '{"name": "Ada"}',
        ],
    ),
    "json-array": (
        ["[1, 2, 3]", "[1,2,3]", "```json\n[1, 2, 3]\n```"],
        ["1, 2, 3", "[1, 2, 3,]", '["1", "2", "3"]'],
    ),
    "commas-weekend": (
        ["Friday, Saturday, Sunday", "friday,saturday,sunday."],
        [
            "Friday Saturday Sunday",
            "Friday, Saturday and Sunday",
            "Friday,\nSaturday,\nSunday",
            "Saturday, Sunday",
        ],
    ),
    "semicolons-sorted": (
        ["1; 2; 3", "1;2;3", " 1; 2; 3."],
        ["1, 2, 3", "3; 2; 1", "3; 1; 2", "1 2 3", "1; 2"],
    ),
    "table-row": (
        ["| apple | 3 |", "|Apple|3|", "`| apple | 3 |`\n"],
        [
            "apple | 3",
            "apple, 3",
            "| apple | 3 | 4 |",
            "| item | n |\n|---|---|\n| apple | 3 |",
            "| 3 | apple |",
        ],
    ),
    "iso-date": (
        ["1998-08-07", "1998-08-07.", "**1998-08-07**"],
        ["1998-07-08", "07-08-1998", "7 August 1998", "1998/08/07", "1998-8-7", "11998-08-07"],
    ),
    "clock-24": (
        ["15:15", "15:15.", " 15:15\n"],
        ["3:15", "03:15", "3:15 PM", "15.15", "15:15 o'clock", "15:45"],
    ),
    "key-value-lines": (
        ["name: Otto\nage: 41", "name: Otto  \nage: 41\n", '"name: Otto"\n"age: 41"'],
        ["name: Otto, age: 41", "age: 41\nname: Otto", "Otto\n41", "name: Otto\nage: 14"],
    ),
    "bold-tag": (
        ["<b>hello</b>", "`<b>hello</b>`", "```html\n<b>hello</b>\n```"],
        ["hello", "**hello**", "<b>hello<b>", "The answer is <b>hello</b>", "<strong>hello</strong>"],
    ),
    "markdown-bold": (
        ["**stop**", "__stop__", "**Stop**."],
        ["stop", "*stop*", "STOP", "<b>stop</b>", "**stop"],
    ),
}
QUESTIONS: dict[str, tuple[list[str], list[str]]] = {
    "after-thursday": (["Friday.", "It is Friday"], ["Wednesday", "Thursday"]),
    "plural-mouse": (["mice", "The plural is mice."], ["mouses", "mouse"]),
    "past-of-go": (["went", 'It is "went".'], ["goed", "gone", "going"]),
    "legs-spider": (["8", "A spider has eight legs."], ["6", "18", "six legs"]),
    "frozen-water": (["Ice.", "It is called ice"], ["snow", "nice", "rice"]),
    "difference-15-9": (["6", "15 - 9 = 6"], ["15 - 9 = 5", "16", "4"]),
    "sum-17-26": (["43", "17 + 26 is forty-three."], ["33", "17 + 26 = 42", "143"]),
    "product-7-8": (["56", "Fifty-six"], ["54", "7 times 8", "156"]),
    "next-doubling": (["32", "2, 4, 8, 16, 32"], ["2, 4, 8, 16", "24", "18", "132"]),
    "capital-australia": (["Canberra"], ["Sydney", "Melbourne"]),
    "symbol-gold": (["Au", "The symbol is Au."], ["Ag", "Gold", "G", "au revoir", "AU"]),
    "author-quixote": (["Miguel de Cervantes"], ["Lope de Vega", "Don Quixote"]),
    "root-144": (["12", "It is twelve."], ["14", "144", "11"]),
    "shortest-of-three": (
        [
            "Bo",
            "Bo is the shortest.",
            "The shortest of the three is Bo.",
            "Tom > Ann > Bo, so Bo is the shortest",
        ],
        ["Ann", "Tom is the shortest.", "Ann is taller than Bo.", "The shortest is Ann, then Bo", "Bob"],
    ),
    "change-from-ten": (["4", "You get back 4 euros.", "four euros"], ["6", "8 euros", "10 - 6 = 5", "14"]),
    "hours-of-150-minutes": (
        ["2.5", "2.5 hours", "two and a half hours", "2 hours and 30 minutes", "2½"],
        ["2", "3 hours", "12.5", "150 minutes is 1.5 hours"],
    ),
    "largest-prime-below-20": (["19", "It is nineteen."], ["17", "20", "119"]),
    "tomorrow-if-yesterday-friday": (["Sunday", "Tomorrow is Sunday."], ["Saturday", "Monday"]),
}
ANSWERS = INSTRUCTIONS | FORMATS | QUESTIONS
RIGHT = [(name, answer) for name, (right, _) in ANSWERS.items() for answer in right]
WRONG = [(name, answer) for name, (_, wrong) in ANSWERS.items() for answer in wrong]


def found(name: str, answer: str) -> bool:
    return re.search(ROWS[name]["right"], answer, re.IGNORECASE) is not None


def of_kind(kind: str) -> set[str]:
    return {name for name, row in ROWS.items() if row["kind"] == kind}


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_is_found_right(name: str, answer: str) -> None:
    assert found(name, answer)


@pytest.mark.parametrize(("name", "answer"), WRONG)
def test_a_wrong_answer_is_not(name: str, answer: str) -> None:
    assert not found(name, answer)


@pytest.mark.parametrize("name", ROWS)
def test_neither_silence_nor_the_question_itself_is_a_right_answer(name: str) -> None:
    assert not found(name, "")
    # "Is the Sun a star or a planet?" names its answer; the probe has had it from the start.
    assert name == "sun-star" or not found(name, ROWS[name]["messages"][-1]["content"])


def test_every_instruction_and_every_format_has_answers_in_these_tables() -> None:
    assert set(INSTRUCTIONS) == of_kind("instruction")
    assert set(FORMATS) == of_kind("format")
    assert set(QUESTIONS) <= of_kind("question")


def test_the_probe_asks_questions_gives_instructions_and_wants_formats() -> None:
    kinds = Counter(row["kind"] for row in ROWS.values())
    assert set(kinds) == {"question", "instruction", "format"}
    assert kinds["question"] >= 24 + 12
    assert kinds["instruction"] >= 12
    assert kinds["format"] >= 8


def test_a_right_answer_fits_in_the_tokens_of_the_probe() -> None:
    # Words and signs, a line's end counted with the word before it: about what a tokenizer makes of short
    # English.
    shortest = {
        name: min(len(re.findall(r"\w+|[^\w\s]", a)) for a in right) for name, (right, _) in ANSWERS.items()
    }
    assert max(shortest.values()) <= 18


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_one_turn_of_the_user(name: str) -> None:
    row = ROWS[name]
    assert [message["role"] for message in row["messages"]] == ["user"]
    assert row["cluster"] == name
    re.compile(row["right"])
