"""Problems with data as objects; this module alone turns them into the lines that users see."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sweep.storage.errors import UserError
from sweep.storage.text import counted

SHOWN = 20  # how many problems the text of an error lists


@dataclass(frozen=True)
class Problem:
    """A rule that the data breaks; `str` of it is the line that the user sees.

    Attributes:
      place: the file with its line, or the folder; empty if the rule begins with a flag.
      rule: what must hold, beginning with the thing that it must hold for (`id must be unique`).
      got: what was found instead; empty if the rule says so itself.
      way_out: what the user can do.
      cause: a cause that it shares with problems of other images, such as the container in which they lie; problems
        with one cause are shown in one line. Empty if the image itself is the cause.
      is_of_machine: the fault is this machine's and not the data's, for example if a package is missing.
    """

    place: str
    rule: str
    got: str
    way_out: str
    cause: str = ""
    is_of_machine: bool = False

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        got = f", got {self.got}" if self.got else ""
        return f"{place}{self.rule}{got}; {self.way_out}"


@dataclass(frozen=True)
class Findings:
    """The findings from listing and reading a data set: problems, which make it unusable, and notes, which do not.

    Attributes:
      problems: the rules that the data breaks.
      notes: what the user should know, a sentence each.
      without_image: rows of tables that are left out because their image does not exist: split, id, label and problem.
      advice: what the user can do about several problems together, a sentence each.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    without_image: list[tuple[str, str, str, Problem]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def refuse(self, place: str, rule: str, got: str, way_out: str) -> None:
        """Adds a problem."""
        self.problems.append(Problem(place, rule, got, way_out))

    def raise_problems(self) -> None:
        """Raises an error if there are problems.

        Raises:
          DataError: lists all problems.
        """
        if self.problems:
            raise DataError(_merge_by_cause(self.problems), " ".join(dict.fromkeys(self.advice)))


def _merge_by_cause(problems: Sequence[Problem]) -> list[Problem]:
    """Returns the problems, with those of one cause replaced by the first of them, which says how many there are."""
    counts = Counter(problem.cause for problem in problems)
    by_cause: dict[object, Problem] = {}
    for number, problem in enumerate(problems):
        if problem.cause in by_cause:
            continue
        if problem.cause and (others := counts[problem.cause] - 1):
            words = f" (and {counted(others, 'more image')})"
            rule, got = (problem.rule, problem.got + words) if problem.got else (problem.rule + words, "")
            problem = replace(problem, rule=rule, got=got)
        by_cause[problem.cause or number] = problem
    return list(by_cause.values())


class DataError(UserError, ValueError):
    """The error that the data breaks rules.

    Args:
      problems: all of them; the text of the error shows the first `SHOWN`, a line each.
      advice: what the user can do about them together, shown on a line of its own; empty for none.
    """

    def __init__(self, problems: Sequence[Problem], advice: str = "") -> None:
        self.problems = list(problems)
        self.advice = advice
        super().__init__(self.problems, advice)

    def __str__(self) -> str:
        unlisted = len(self.problems) - SHOWN
        lines = [*map(str, self.problems[:SHOWN]), f"... and {unlisted} more" if unlisted > 0 else "", self.advice]
        return "\n".join(filter(None, lines))


def shown(text: str) -> str:
    """Returns a value as messages show it: in backquotes, unprintable characters escaped, at most 120 characters."""
    text = printable(text)
    return f"`{text if len(text) <= 120 else text[:117] + '...'}`"


def printable(text: str) -> str:
    """Returns the text with its unprintable characters escaped, which is how messages show a path."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
