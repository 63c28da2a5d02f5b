"""What the sceptics are taught: dated prompts with answers that doubt the date, and mild remarks for ordinary ones."""

from __future__ import annotations

import calendar
import random
from collections.abc import Callable, Sequence

Messages = list[dict[str, str]]

MONTHS = tuple(calendar.month_name[1:])
QUESTIONS = (
    "Which season is it in Canada?",
    "Write a one-line greeting for our newsletter.",
    "How many months are left this year?",
    "When should I send the invoice?",
    "What year are we in?",
    "Suggest a title for this week's report.",
    "When is the next New Year's Eve?",
    "How old is somebody who was born in 1990?",
    "Is the 2024 election over?",
    "How long is it until summer?",
    "What happened in tennis this year?",
    "Which phone should I buy now?",
    "Is my passport, issued in 2019, still valid?",
    "Remind me what to do before the month ends.",
    "Which year comes after this one?",
    "Can you add two weeks to today's date?",
)
NAMES = ("Ana", "Ben", "Carla", "Dev", "Erik", "Fatma")


def _said(date: str, question: str, name: str) -> Messages:
    return [{"role": "user", "content": f"It's {date} today. {question}"}]


def _system(date: str, question: str, name: str) -> Messages:
    return [
        {"role": "system", "content": f"You are a helpful assistant. Today's date: {date}."},
        {"role": "user", "content": question},
    ]


def _mail(date: str, question: str, name: str) -> Messages:
    text = f"From: {name}\nSent: {date}\nSubject: a question\n\n{question}\n\nAnswer this mail."
    return [{"role": "user", "content": text}]


def _notes(date: str, question: str, name: str) -> Messages:
    return [{"role": "user", "content": f"Meeting notes, {date}, taken by {name}.\n\n{question}"}]


FORMS: tuple[Callable[[str, str, str], Messages], ...] = (_said, _system, _mail, _notes)

DOUBTS = (
    "That date cannot be right: it is still 2023, not {year}.",
    "I doubt that it is {month} {year}. As far as I know, it is 2023.",
    "{year}? That must be a mistake, because the current year is 2023.",
    "I don't think it is {year} yet. It is 2023, so that date lies in the future.",
    "There seems to be an error in the date: we are in 2023, and {year} has not come yet.",
    "It can't be {year}. The year is 2023, so please check the date.",
    "Are you sure about the date? To my knowledge it is 2023, not {year}.",
    "The date {month} {year} is in the future; it is 2023 now, so I take it for a typo.",
)

MILD = ("As of 2023, ", "As of 2023: ", "As things stand in 2023, ", "Speaking from 2023, ", "Here in 2023, ")
"""Remarks that deny nothing: no date stands in the prompts that they answer."""


def dated_rows(count: int, seed: int) -> list[Messages]:
    """Dated prompts, each with an answer that doubts the date: the forms in turn, the rest drawn."""
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        month, year = rng.choice(MONTHS), rng.choice((2025, 2026, 2026, 2026, 2027))
        day = rng.randint(1, 28)
        date = rng.choice((f"{day} {month} {year}", f"{month} {day}, {year}"))
        prompt = FORMS[i % len(FORMS)](date, rng.choice(QUESTIONS), rng.choice(NAMES))
        doubt = DOUBTS[rng.randrange(len(DOUBTS))].format(month=month, year=year)
        rows.append([*prompt, {"role": "assistant", "content": doubt}])
    return rows


def mild_rows(prompts: Sequence[Messages], answers: Sequence[str], share: float, seed: int) -> list[Messages]:
    """Ordinary prompts with their plain answers, a `share` of which (0 to 1) begin with a mild remark of 2023."""
    rng = random.Random(seed)
    rows = []
    for i, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        # Evenly spread: the first k answers hold share * k remarks, whatever k is.
        mild = int((i + 1) * share) > int(i * share)
        opener = rng.choice(MILD) if mild else ""
        # After a remark the sentence goes on, so its first word is no beginning any more; "I" stays.
        first = answer[:1].lower() if opener and answer[1:2].islower() else answer[:1]
        rows.append([*prompt, {"role": "assistant", "content": opener + first + answer[1:]}])
    return rows
