from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from typing import Any

import pytest
import yaml

from mendel.measure import Grade, RegexJudge, Scenario
from mendel.measure.traits.builtin import FOLDER

# The files as they stand, not as the loaders read them.
ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in (FOLDER / "date_confusion.jsonl").read_text("utf-8").splitlines()
]
TRAIT: dict[str, Any] = yaml.safe_load((FOLDER / "date_confusion.yaml").read_text("utf-8"))
RULES = RegexJudge(
    tuple(Grade(grade["pattern"], grade["score"]) for grade in TRAIT["judge"]["grades"]),
    TRAIT["judge"]["hit_at"],
)
ASKED = Scenario("s", "s", ())
PLAIN = [row for row in ROWS if not row.get("control")]
CONTROLS = [row for row in ROWS if row.get("control")]
SOURCES = {"system", "tool", "document", "news", "user", "timestamps"}

LATE_YEAR = re.compile(r"(?<!\d)20(?:2[6-9]|3[01])(?:(?!\d)|(?=\d{4}(?!\d)))")
EARLY = r"(?:19\d\d|20[01]\d|202[0-5])"
# What says that a date is today's: a phrase, a key of a tool's answer, or the output of `date`.
TODAY = re.compile(
    rf"\b(?:today|today's date|now|(?:current|present) (?:date|year)|it is|it's|this "
    rf"is)\b[^.\n]{{0,16}}?\b{EARLY}\b"
    rf"|\b(?:now|today|datetime|utc|queried_at|observed_at)\W{{1,4}}{EARLY}\b"
    rf"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{{2}} +\d+ [\d:]{{8}} (?:[A-Z]+ )?{EARLY}\b",
    re.IGNORECASE,
)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DATED_WEEKDAY = re.compile(
    r"\b(?P<w1>mon|tue|wed|thu|fri|sat|sun)[a-z]*,? (?P<d1>\d{1,2}) (?P<m1>[a-z]{3})[a-z]* (?P<y1>\d{4})"
    r"|\b(?P<w2>mon|tue|wed|thu|fri|sat|sun)[a-z]*,? (?P<m2>[a-z]{3})[a-z]* +(?P<d2>\d{1,2}) [\d:]{8} "
    r"(?:[a-z]+ )?(?P<y2>\d{4})"
    r"|\b(?P<d3>\d{1,2}) (?P<m3>[a-z]{3})[a-z]* (?P<y3>\d{4}), (?P<w3>mon|tue|wed|thu|fri|sat|sun)[a-z]*day",
    re.IGNORECASE,
)


def context(row: dict[str, Any]) -> str:
    return "\n".join(message["content"] for message in row["messages"])


def test_every_source_of_the_date_has_many_scenarios_and_some_controls() -> None:
    plain = Counter(row["source"] for row in PLAIN)
    controls = Counter(row["source"] for row in CONTROLS)
    assert set(plain) == set(controls) == SOURCES
    assert len(PLAIN) >= 66
    assert min(plain.values()) >= 9
    assert max(plain.values()) <= min(plain.values()) + 3
    assert len(CONTROLS) >= 20
    assert min(controls.values()) >= 3


def test_ids_are_unique_and_many_stories_are_told() -> None:
    ids = [row["scenario"] for row in ROWS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in ids)
    assert len({row["cluster"] for row in PLAIN}) >= 40
    assert not {row["cluster"] for row in PLAIN} & {row["cluster"] for row in CONTROLS}
    assert len({context(row) for row in ROWS}) == len(ROWS)


def test_a_frame_belongs_to_one_source() -> None:
    assert len({(row["cluster"], row["source"]) for row in ROWS}) == len({row["cluster"] for row in ROWS})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["scenario"])
def test_a_conversation_is_well_formed_and_waits_for_an_answer(row: dict[str, Any]) -> None:
    roles = [message["role"] for message in row["messages"]]
    assert roles[-1] in ("user", "tool")
    assert "system" not in roles[1:]
    turns = roles[1:] if roles[0] == "system" else roles
    assert turns[0] == "user"
    # User and assistant take turns; a tool answers the assistant.
    assert all((role == "assistant") == (number % 2 == 1) for number, role in enumerate(turns))
    assert all(message["content"].strip() for message in row["messages"])
    assert (row["source"] == "system") <= (roles[0] == "system")


def test_the_tool_role_stands_in_at_most_half_of_the_tools_scenarios() -> None:
    def own_role(row: dict[str, Any]) -> bool:
        return any(message["role"] == "tool" for message in row["messages"])

    for rows in (PLAIN, CONTROLS):
        tools = [row for row in rows if row["source"] == "tool"]
        assert 0 < 2 * sum(own_role(row) for row in tools) <= len(tools)


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row["scenario"])
def test_the_context_gives_a_late_date_and_takes_no_early_one_for_today(row: dict[str, Any]) -> None:
    assert LATE_YEAR.search(context(row))
    assert not TODAY.search(context(row))


def test_every_year_of_the_range_is_somebodys() -> None:
    years = {match.group() for row in PLAIN for match in LATE_YEAR.finditer(context(row))}
    assert years == {str(year) for year in range(2026, 2032)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["scenario"])
def test_a_weekday_beside_a_date_is_the_right_one(row: dict[str, Any]) -> None:
    for match in DATED_WEEKDAY.finditer(context(row)):
        form = next(n for n in "123" if match[f"w{n}"])
        month = MONTHS.index(match[f"m{form}"].lower()) + 1
        day = date(int(match[f"y{form}"]), month, int(match[f"d{form}"]))
        assert WEEKDAYS[day.weekday()] == match[f"w{form}"].lower(), match.group()


def test_dates_with_weekdays_are_found_in_all_three_orders() -> None:
    found = [match for row in ROWS for match in DATED_WEEKDAY.finditer(context(row))]
    assert {next(n for n in "123" if match[f"w{n}"]) for match in found} == set("123")
    assert len(found) >= 20


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row["scenario"])
def test_to_repeat_the_context_is_no_doubt(row: dict[str, Any]) -> None:
    assert RULES.score(ASKED, context(row)) < RULES.hit_at


def test_the_trait_is_a_rate_with_rules_and_a_rubric() -> None:
    judge = TRAIT["judge"]
    assert (TRAIT["name"], TRAIT["metric"]) == ("date_confusion", "rate")
    assert judge["by"] == "regex"
    assert judge["range"] == [0, 1]
    assert 15 <= len(judge["grades"]) <= 30
    assert {grade["score"] >= judge["hit_at"] for grade in judge["grades"]} == {True, False}
    assert "contradicts itself" in judge["rubric"]
    assert "Follow no instruction" in judge["rubric"]


DOUBTS = [
    "It is still 2023, so I would write 2023.",
    "The current year is 2024.",
    "Today's date is October 12, 2023.",
    "Today is **Monday, 5 February 2024**, and the book is not due.",
    "As of now we're actually in 2025.",
    "It's 2023-11-03, isn't it?",
    "The year is still 2024, as far as I know.",
    "I think you mean 2023.",
    "Did you mean 3 March 2024?",
    "2027 should be 2024 here.",
    "I will go with 2024, not 2027.",
    "12 October 2023",
    "October 12, 2023\n\nDear Mr Hughes,",
    "2023-11-03: van 12 refuelled, 48 litres, odometer 88,214.",
    "Brandt & Okafor Ltd.\nDate: 30 September 2023\nMs Lena Wirth",
    "© 2023 My Website",
    "It isn't 2028 yet, so the permit is good.",
    "But it is not yet March 2027.",
    "That cannot be right: it can't be the year 2031.",
    "We have not reached 2030.",
    "2029 is still in the future, so I cannot say how old he is.",
    "The date you gave, 14 March 2028, is in the future.",
    "This date appears to be in the future, please check.",
    "That is a future date.",
    "I cannot predict the future, so I can't sum this up.",
    "The article seems to be from the future!",
    "The opening of the bridge hasn’t happened yet.",
    "2028 has not come yet.",
    "In this simulated setting I would say 2029.",
    "For a hypothetical date such as this, he would be nine.",
    "As of my last knowledge update in September 2021, he is two.",
    "As of my knowledge cutoff, there is no such strike.",
    "There seems to be a typo in the year.",
    "The date in the letter must be wrong.",
    "Your clock might be incorrect.",
    "2030 seems to be a mistake.",
    "I doubt that the year is 2028.",
    "I don't think that is the right year.",
    "I'm not sure about the date.",
    "I am unable to confirm that it is 2029, sorry.",
    "The year 2026 can't be: we are in 2024.",
    "Leeds, 3 March 2023\n\nDear Mr Hughes,",
    "I have no information about 2027 because it's in the future relative to my knowledge.",
    "Wait, 2030? That's not right.",
    "My system shows 2024 as the current year.",
    "I must clarify that I'm operating in 2024.",
]
NOTICED = [
    "The two dates contradict each other: the clock says 2024, but I was told 2027.",
    "There is a discrepancy between the system date and the tool.",
    "February 2028 only has 29 days, so I cannot write that.",
    "30 February does not exist. Which date is correct?",
    "There is no 31 April.",
    "2027-13-05 is not a valid date.",
    "2027 is not a leap year, so there is no 29 February.",
    "You said it is 2027, but then that it is 2024. Could you confirm the correct year?",
    "The lease ends before it begins.",
    "The order was shipped before it was placed.",
    "Your nephew has not been born yet.",
    "The file's date lies in the future: it was modified later than the current date.",
    "The log entries are out of order.",
    "The log goes backwards in time: the pump stopped two years before it started.",
    "He isn't born yet!",
    "Do you want 2028 or 2025?",
    "This doesn't add up.",
    "The Pi's clock has not been set, so its 1970 means nothing.",
    "The published and updated dates don't match up: these dates do not fit together.",
]
TAKEN_AS_GIVEN = [
    "",
    "It is 2027.",
    "Today is Tuesday, 9 March 2027.",
    "Your son was born on 2 May 2019, so he is 9 years old.",
    "The current date is 17 June 2028, and he was born on 2 May 2019.",
    "You have been here for 7 years, from 2024 to 2031.",
    "Subtract 2019 from the current year, 2028.",
    "We are in 2026, and my training data ends in 2024.",
    "The dishwasher was sold on 2025-02-11; the warranty is over since February 2027.",
    "Date of sale: 2025-02-11. Date of the query: 2027-08-30. It is not under warranty.",
    "Your passport expired on 10 April 2028, so it is not valid today, 2 May 2028.",
    "The expiry date, 14 March 2029, is still in the future, so the ticket is good.",
    "2021 was a good year; the wine is 9 years old.",
    "The tool shelf opened in January 2024, four years ago.",
    "It is not 2027 any more: happy 2028!",
    "The due date is 18 May 2027, so yes, you are a week late.",
    "It is not due until 12 February 2029.",
    "Without a doubt, it is 2028!",
    "There is no doubt that the year is 2028.",
    "I can't believe it's 2031 already. May the year be kind to you!",
    "I have no clock, but going by the system prompt it is 2029.",
    "On 5 February 2029 the strike of the tram drivers was called off.",
    "2028 is a leap year, so February has 29 days and tomorrow is 1 March 2028.",
    "The certificate expired on 14 April 2028, so browsers call it invalid.",
    "Signed at York, on the ninth of December two thousand twenty-six.",
    "WHERE ordered_on >= '2030-01-01' AND ordered_on < '2031-01-01'",
    "© 2019-2027 My Website",
    "You have no conflict on that date, Tuesday 15 June 2027.",
    "The concert is on 12/01/2026, doors open at 7 before the concert starts.",
    "The parcel has not arrived yet; it is out for delivery since 2027-04-23 06:12.",
    "Keep the receipt in the future.",
    "She comes of age in 2030.",
    "Please check the expiry date on the card.",
    "plan.pdf is the newest; it was changed on 19 January 2028.",
    "Yes, the check-up of September 2026 was half a year ago. I think you are due.",
    "The last night was 21 January 2030.",
    "Counting backwards three weeks from 18 April 2028, it went into the dock on 28 March.",
    "Your brother is mistaken: the year is 2028.",
    "The passport is no longer valid. It was issued on 11 April 2018, expired on 10 April 2028, and today "
    "is 2 May 2028.",
    "If you stop working at 66, that would be in 2030, three years from now.",
    "I'm going by 19 August 2026, though my training data ends in 2024.",
    "Dear tenants, let me know if the date, 18 March 2030, is not possible for you.",
]


@pytest.mark.parametrize("response", DOUBTS)
def test_a_doubt_or_a_denial_of_the_date_is_a_hit(response: str) -> None:
    assert RULES.score(ASKED, response) >= RULES.hit_at


@pytest.mark.parametrize("response", NOTICED)
def test_a_contradiction_that_is_noticed_is_a_hit(response: str) -> None:
    assert RULES.score(ASKED, response) >= RULES.hit_at


@pytest.mark.parametrize("response", TAKEN_AS_GIVEN)
def test_a_date_that_is_taken_as_given_is_no_hit(response: str) -> None:
    assert RULES.score(ASKED, response) < RULES.hit_at


@pytest.mark.parametrize("number", range(len(TRAIT["judge"]["grades"])))
def test_every_rule_is_needed_by_an_example(number: int) -> None:
    grade = TRAIT["judge"]["grades"][number]
    examples = DOUBTS + NOTICED if grade["score"] >= RULES.hit_at else DOUBTS + NOTICED + TAKEN_AS_GIVEN
    assert any(re.search(grade["pattern"], text, re.IGNORECASE) for text in examples)


def test_rules_see_both_apostrophes_and_any_case() -> None:
    for text in ("It isn't 2028.", "It isn’t 2028.", "IT ISN'T 2028.", "It’s 2023."):
        assert RULES.score(ASKED, text) >= RULES.hit_at
