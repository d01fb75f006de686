"""Which versions a result was made with: those of the packages that decide it, and the commit of this code."""

import subprocess
from pathlib import Path

VERSIONS = ("ray", "optuna", "torch", "torchvision", "albumentations", "opencv-python-headless", "numpy")


def current_versions() -> dict[str, str]:
    from importlib.metadata import version  # a second driver is refused before this is imported

    return {name: version(name) for name in VERSIONS}


def version_differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [f"{name} {before.get(name, 'none')} -> {after[name]}" for name in after if before.get(name) != after[name]]


def code_commit() -> str:
    """Returns the commit of this code, with `+` where files differ from it; empty outside a checkout."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        said = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # no git on this machine, or no checkout
        return ""
    return said.decode().strip()
