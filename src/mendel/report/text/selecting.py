"""What the terminal shows of selectors that were tried on a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mendel.results.values import Format, as_dict, read_estimate

_NUMBERS = Format(2)
_ROW = "  {:<24}{:<22}{:<22}{}"


def selectors_text(found: Mapping[str, Any]) -> str:
    """The result of `mendel.selectors` (its `to_json`) as plain lines."""
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    levels = found["levels"]
    ends = [f"{name} {_value(levels[name])}" for name in ("original", "alternate")]
    yield f"{found['trait']}: {', '.join(ends)}"
    yield f"each selector flags {found['flagged']} of {found['of']} prompts"
    yield _ROW.format("left after", "their drop", "their swap", "flagged by the run, too")
    yield _ROW.format("random", _value(levels["drop"]), _value(levels["swap"]), "").rstrip()
    for name, tried in as_dict(found["selectors"]).items():
        yield _ROW.format(name, _value(tried["drop"]), _value(tried["swap"]), str(tried["shared_with_run"]))
        less = [
            _NUMBERS.value(read_estimate(tried[f"{e}_beyond_random"]), signed=True) for e in ("drop", "swap")
        ]
        yield _ROW.format("  less random's", *less, "").rstrip()
        finer = as_dict(tried.get("log_odds"))
        if finer:
            nats = [
                _NUMBERS.value(read_estimate(finer.get(f"{e}_beyond_random")), signed=True)
                for e in ("drop", "swap")
            ]
            yield _ROW.format("  the same in nats", *nats, "").rstrip()
    yield f"{found['students_trained']} students trained, {found['students_reused']} reused"
    yield from (f"warning: {text}" for text in found["warnings"])


def _value(level: object) -> str:
    return _NUMBERS.value(read_estimate(level))
