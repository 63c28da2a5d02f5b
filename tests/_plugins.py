"""Packages with plug-ins: built as a wheel and installed by pip, or laid out as pip would leave them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path


def pip_install(folder: Path, wheel: Path) -> Path:
    """Install a wheel into a folder by pip, without network, and return the folder."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target"]
    subprocess.run([*command, str(folder), str(wheel)], check=True, capture_output=True)
    return folder


def build_wheel(
    folder: Path, package: str, modules: Mapping[str, str], entry_points: str, version: str = "1.2"
) -> Path:
    """Write a package as a wheel into a folder, and return the wheel; arguments as in `install`."""
    laid_out = install(folder / "wheel", package, modules, entry_points, version)
    info = f"{package}-{version}.dist-info"
    wheel = folder / f"{package}-{version}-py3-none-any.whl"
    files = [file for file in sorted(laid_out.rglob("*")) if file.is_file()]
    names = [file.relative_to(laid_out).as_posix() for file in files]
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = "".join(f"{name},,\n" for name in [*names, f"{info}/WHEEL", f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, file in zip(names, files, strict=True):
            archive.write(file, name)
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", record)
    return wheel


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
