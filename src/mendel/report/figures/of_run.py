"""The figures of a run, one list for the page, for files and for notebooks.

What is added here appears in all three.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.errors import InputError
from mendel.engine.store import write_atomic
from mendel.engine.text import clean
from mendel.report.figures.places import figure_label, places
from mendel.report.figures.specs import (
    PAGE_THEME,
    PAPER_THEME,
    Axis,
    FigurePanel,
    FigureRow,
    curve,
    forest,
    panels,
)
from mendel.report.views.further import Doses, doses_of
from mendel.report.views.ladder import Ladder, ladder_of
from mendel.report.views.location import share_text
from mendel.report.views.trait import TraitSection, trait_sections
from mendel.results.folder import RunFolder, read_folder
from mendel.results.interval import Format, Interval

if TYPE_CHECKING:
    from markupsafe import Markup

FIGURES = ("location", "effects", "edits", "thresholds", "curve", "doses", "ladder")
"""The figures of a trait that the page has places for."""
SCALE = 3.0
"""Pixels of a PNG for each of the figure's own: 288 to the inch, as print wants it."""
VEGA_LITE = "application/vnd.vegalite.v5+json"

_DIGEST = re.compile("-[0-9a-f]{8}$", re.IGNORECASE)
_NAME = 60
"""Characters of a trait's name in a file name at most: file systems end at 255 bytes."""
_KEY = {
    "main": "flagged prompts",
    "control": "as many random prompts",
    "reference": "no edit, or all prompts",
}


@dataclass(frozen=True)
class Figure:
    """One figure: what it says in words, and its Vega-Lite specification."""

    name: str
    """The file's name without its ending: `<trait>-effects`."""
    label: str
    """All its numbers as a sentence, for who cannot see it."""
    spec: dict[str, Any] = field(repr=False)

    def svg(self) -> str:
        """Return the figure as an SVG document; no script, nothing fetched."""
        from mendel.report.figures.svg import standalone_svg

        return standalone_svg(self.spec, self.label)

    def png(self, scale: float = SCALE) -> bytes:
        """Return the figure as PNG, with `scale` pixels for each of its own.

        Raise InputError for a scale outside 0.1 to 20.
        """
        if not 0.1 <= scale <= 20:
            raise InputError("no scale to draw a figure at", value=scale, allowed="0.1 to 20")
        import vl_convert

        png: bytes = vl_convert.svg_to_png(self.svg(), scale=scale)
        return png

    def inline(self) -> Markup:
        """Return the figure for the inside of a page, whose style sheet names its colours."""
        from mendel.report.figures.svg import inline_svg

        return inline_svg(self.spec, self.label)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return what a notebook shows.

        The SVG, and the specification for a front end that draws it itself.
        """
        return {"image/svg+xml": self.svg(), VEGA_LITE: self.spec, "text/plain": self.label}


def figures(folder: str | Path) -> Mapping[str, Figure]:
    """Return the figures of a run, in light colours on white.

    Args:
        folder: The run's folder.

    Returns:
        The figures by name, in the page's order; empty for a run without verdicts.

    Raises:
        InputError: The folder holds no run.
    """
    return {figure.name: figure for figure in run_figures(read_folder(Path(folder)))}


def write_figures(folder: str | Path, out: str | Path) -> list[Path]:
    """Write every figure of a run as SVG and PNG.

    Args:
        folder: The run's folder.
        out: The folder for the files; made where it is missing.

    Returns:
        The paths of the files.

    Raises:
        InputError: `folder` holds no run, or `out` is no folder and cannot be one.
    """
    target = Path(out)
    for place in (target, *target.parents):
        if place.exists() and not place.is_dir():
            raise InputError("not a folder", where=str(place), fix="Name a folder for the figures.")
    written = []
    for figure in figures(folder).values():
        for ending, content in (("svg", figure.svg()), ("png", figure.png())):
            path = target / f"{figure.name}.{ending}"
            write_atomic(path, content)
            written.append(path)
    return written


def run_figures(folder: RunFolder, theme: Mapping[str, str] = PAPER_THEME) -> Iterator[Figure]:
    """Yield the figures of all traits of a run; their names are safe as file names, and no two are alike."""
    traits = trait_sections(folder, {})
    for trait, stem in zip(traits, safe_names(trait.name for trait in traits), strict=True):
        ladder, doses = ladder_of(folder.verdicts.traits[trait.name]), doses_of(folder, trait.name)
        yield from figures_of(trait, stem, theme, ladder, doses).values()


def figures_of(
    trait: TraitSection,
    stem: str,
    theme: Mapping[str, str] = PAGE_THEME,
    ladder: Ladder | None = None,
    doses: Doses | None = None,
) -> Mapping[str, Figure]:
    """Return the figures of one trait.

    Args:
        trait: The trait's section.
        stem: Beginning of the figures' names; safe as a file's.
        theme: Colours. With the page's theme a figure has no key: the page says what the colours mean.
        ladder: The trait's leak ladder, if it has one.
        doses: The trait's dose-response, if it was measured.

    Returns:
        The figures by part (`location`, `effects`, `corners`, `edits`, …); a part without any interval is
        left out.
    """
    unit = "share of responses" if trait.is_rate else "mean score"
    key = {} if theme is PAGE_THEME else _KEY
    drawn = {
        "location": _location(trait, theme),
        "effects": _effects(trait, unit, theme),
        "corners": _corners(trait, unit, theme),
        "edits": _edits(trait, unit, theme, key),
        "thresholds": _thresholds(trait, unit, theme),
        "curve": _curve(trait, unit, theme),
        "doses": _doses(trait, doses, unit, theme),
        "ladder": _ladder(ladder, theme),
    }
    return {
        part: Figure(f"{stem}-{part}", label, spec)
        for part, (spec, label) in drawn.items()
        if spec is not None
    }


_Drawn = tuple[dict[str, Any] | None, str]


def _location(trait: TraitSection, theme: Mapping[str, str]) -> _Drawn:
    texts = {row.name: (share_text(row.brings), share_text(row.takes)) for row in trait.location}
    return places(trait.location, theme), clean(figure_label(trait.location, texts))


def _effects(trait: TraitSection, unit: str, theme: Mapping[str, str]) -> _Drawn:
    rows = [
        FigureRow(effect.name.replace(":", " × "), effect.estimate)
        for effect in trait.effects
        if effect.estimate and not effect.shared
    ]
    label = describe(
        "Effects with 95 % intervals.", ((row.label, row.estimate) for row in rows), trait.numbers
    )
    return forest(rows, Axis(f"effect on the {unit}", signed=True), theme), label


def _edits(trait: TraitSection, unit: str, theme: Mapping[str, str], key: Mapping[str, str]) -> _Drawn:
    rows = [FigureRow(row.label, row.level, row.group) for row in trait.edits if row.level]
    label = describe(
        "Levels after each edit with 95 % intervals.",
        ((row.label, row.estimate) for row in rows),
        trait.numbers,
    )
    return forest(rows, Axis(unit, domain=trait.domain, key=key), theme), label


def _thresholds(trait: TraitSection, unit: str, theme: Mapping[str, str]) -> _Drawn:
    rows = [
        FigureRow(row.label.partition(":")[0], row.level, row.group) for row in trait.thresholds if row.level
    ]
    label = describe(
        "Levels after the drop by ever stricter filters, with 95 % intervals.",
        ((row.label, row.estimate) for row in rows),
        trait.numbers,
    )
    return forest(rows, Axis(unit, domain=trait.domain), theme), label


def _curve(trait: TraitSection, unit: str, theme: Mapping[str, str]) -> _Drawn:
    points = [(row.share, row.level) for row in trait.mixes if row.level and row.share is not None]
    label = describe(
        "Level by the share of prompts that the original teacher answers, with 95 % intervals.",
        ((f"{100 * share:g} %", level) for share, level in points),
        trait.numbers,
    )
    return curve(points, trait.half_way, unit, trait.domain, theme), label


def _corners(trait: TraitSection, unit: str, theme: Mapping[str, str]) -> _Drawn:
    """Return the corners as lines, which can be read off; the page draws them as a cube."""
    rows = [FigureRow(row.label, row.level) for row in trait.corners if row.level]
    label = describe(
        "Levels at every combination of base, prompts and teacher, with 95 % intervals.",
        ((row.label, row.estimate) for row in rows),
        trait.numbers,
    )
    return forest(rows, Axis(unit, domain=trait.domain), theme), label


def _doses(trait: TraitSection, doses: Doses | None, unit: str, theme: Mapping[str, str]) -> _Drawn:
    points = [(dose.share, dose.level) for dose in doses.doses if dose.level] if doses else []
    label = describe(
        "Level by the share of random prompts that the original teacher answers, with 95 % intervals.",
        ((f"{100 * share:g} %", level) for share, level in points),
        trait.numbers,
    )
    half_way = doses.half_way if doses else Interval()
    return curve(points, half_way, unit, trait.domain, theme, small=True), label


def _ladder(ladder: Ladder | None, theme: Mapping[str, str]) -> _Drawn:
    if ladder is None:
        return None, ""
    rungs = [rung.name for rung in ladder.rungs if rung.shown]
    rows = [
        FigurePanel(
            edit.label,
            tuple(
                FigureRow(rung.name, left)
                for rung in ladder.rungs
                if rung.shown and (left := rung.left.get(edit.kind, Interval()))
            ),
        )
        for edit in ladder.edits
    ]
    label = describe(
        "Share of the effect that each edit leaves, by rung, with 95 % intervals.",
        ((f"{panel.label}, {row.label}", row.estimate) for panel in rows for row in panel.rows),
        Format(2),
    )
    return panels(rows, rungs, Axis("share of the effect that is left"), theme), label


def describe(what: str, values: Iterable[tuple[str, Interval]], numbers: Format) -> str:
    """Return a figure's label: what it shows, and each of its numbers.

    Args:
        what: What the figure shows, in a sentence.
        values: Name and value of each mark; those without an interval are left out.
        numbers: How the numbers are written.

    Returns:
        One line of text without anything that could act.
    """
    read = "; ".join(f"{label}: {numbers.value(value)}" for label, value in values if value.bounded)
    return clean(f"{what} {read}")


def safe_names(names: Iterable[str]) -> list[str]:
    """Return names that are safe as files' names: letters, digits, `_`, `-` and dots inside.

    Args:
        names: Names of traits, which may hold anything.

    Returns:
        A safe name for each. A name that had to be changed, that differs from another only in its case, or
        that ends like a digest, gets the beginning of its digest, so that no two files are one.
    """
    given = list(names)
    stems = [re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:_NAME].strip("_.-") for name in given]
    # Some file systems do not tell upper case from lower case.
    counts = Counter(stem.casefold() for stem in stems)

    def safe(name: str, stem: str) -> str:
        plain = stem == name != "" and counts[stem.casefold()] == 1 and not _DIGEST.search(name)
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
        return stem if plain else f"{stem or 'trait'}-{digest}"

    return [safe(name, stem) for name, stem in zip(given, stems, strict=True)]
