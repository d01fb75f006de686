"""Which versions a result was made with: those of the packages that decide it, and the commit of this code."""

import subprocess
from importlib.metadata import version
from pathlib import Path

VERSIONS = ("ray", "optuna", "torch", "torchvision", "albumentations", "opencv-python-headless", "numpy")


def current_versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONS}


def version_differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [f"{name} {before.get(name, 'none')} -> {after[name]}" for name in after if before.get(name) != after[name]]


def code_commit() -> str:
    """Returns the commit of this code, with `+` where files differ from it; empty outside a checkout."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "--short", "HEAD")
        return commit + ("+" if commit and git("status", "--porcelain", "--untracked-files=no") else "")
    except OSError:  # no git on this machine
        return ""
