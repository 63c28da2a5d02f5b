"""Packages with plug-ins, as pip would leave them: modules, and a `.dist-info` folder with the entry points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install(
    folder: Path, package: str, modules: Mapping[str, str], entry_points: str, version: str = "1.2"
) -> Path:
    """Write a distribution named like its package (`my_pkg` as `my-pkg`) into `folder`, and return the folder.

    `modules` has the text of each module by its file's name: `__init__.py`, `selectors.py`.
    """
    name = package.replace("_", "-")
    (folder / package).mkdir(parents=True, exist_ok=True)
    for file, text in {"__init__.py": "", **modules}.items():
        (folder / package / file).write_text(text)
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)
    (info / "top_level.txt").write_text(f"{package}\n")
    return folder
