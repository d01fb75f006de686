"""The commands, and how a person types each: `python -m MODULE` in a checkout, `sweep NAME` where it is installed."""

from pathlib import Path

MODULES = {
    "run": "search.run",
    "status": "search.status",
    "check": "search.check",
    "preflight": "search.preflight",
    "repeat": "search.repeat",
    "refit": "search.refit",
    "report": "analysis.report",
    "predict": "analysis.predict",
    "export": "analysis.export",
    "tensorboard": "analysis.tensorboard",
    "look": "datasets.look",
    "unpickle": "datasets.unpickle",
    "train": "trainable.train",
}
IS_INSTALLED = not (Path(__file__).resolve().parents[1] / "pyproject.toml").exists()


def typed(name: str) -> list[str]:
    """Returns the words that a person types for a command, without its options."""
    return ["sweep", name] if IS_INSTALLED else ["python", "-m", MODULES[name]]


def spelled(name: str) -> str:
    """Returns the same as one text."""
    return " ".join(typed(name))


def without_program(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the words of a command that `typed` began, here or in another installation, and those that follow."""
    count = 2 if words[:1] == ["sweep"] else 3
    return words[:count], words[count:]
