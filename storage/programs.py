"""The commands, and how a person types each: `python -m MODULE` in a checkout, `sweep NAME` once installed."""

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
PACKAGE = Path(__file__).parents[1]  # the folder of the package `sweep`
IS_INSTALLED = not (PACKAGE.parent / "pyproject.toml").exists()


def typed(name: str) -> list[str]:
    """Returns the words that a person types for a command, without its options."""
    return ["sweep", name] if IS_INSTALLED else ["python", "-m", MODULES[name]]


def spelled(name: str) -> str:
    """Returns the words that a person types for a command, without its options, as one text."""
    return " ".join(typed(name))


def without_program(words: list[str]) -> tuple[list[str], list[str]]:
    """Splits the words of a command into those that `typed` returns, here or in another installation, and the rest."""
    count = 2 if words[:1] == ["sweep"] else 3
    return words[:count], words[count:]
