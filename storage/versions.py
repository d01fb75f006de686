"""The versions that a result was made with: those of the packages that decide it, and the commit of this code."""

import subprocess
from pathlib import Path

from sweep.storage.programs import IS_INSTALLED

VERSIONS = ("ray", "optuna", "torch", "torchvision", "albumentations", "opencv-python-headless", "numpy")


def current_versions() -> dict[str, str]:
    """Returns the installed version of each package in `VERSIONS`."""
    from importlib.metadata import version  # imported here, so that a second driver is refused quickly

    return {name: version(name) for name in VERSIONS}


def version_differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Returns the packages whose version changed, each as `torch 2.9.0 -> 2.9.1`."""
    return [f"{name} {before.get(name, 'none')} -> {after[name]}" for name in after if before.get(name) != after[name]]


def code_commit() -> str:
    """Returns the commit of this code, followed by `+` if files differ from it; empty outside a checkout.

    It is empty too where the project is installed: an installation may lie in the checkout of another project, whose
    commit says nothing about this code.
    """
    if IS_INSTALLED:
        return ""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        output = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # no git on this machine, or no checkout
        return ""
    return output.decode().strip()
