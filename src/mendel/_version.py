"""The one place that names the version, and the versions of what a run's numbers depend on."""

from __future__ import annotations

import platform
from importlib import metadata

__version__ = "0.1.0"

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "numpy", "scipy", "pyarrow", "safetensors")


def versions() -> dict[str, str]:
    """mendel's, Python's and the packages' versions; a package that is not there is `missing`."""
    found = {"mendel": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "missing"
    return found
