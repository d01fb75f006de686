"""What is wrong with data, as objects; this is the one place that turns them into the lines that are shown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sweep.storage.errors import UserError
from sweep.storage.text import counted

SHOWN = 20  # problems in the text of an error


@dataclass(frozen=True)
class Problem:
    """A rule that the data breaks; as text, the line that is shown.

    Attributes:
      place: the file with its line, or the folder; empty where the rule begins with a flag.
      rule: what must hold, beginning with what it must hold for (`id must be unique`).
      got: what there is instead; empty where the rule says it already.
      way_out: what to do.
      cause: what it shares with the problems of other images, such as the container that they lie in; those of one
        cause are told in one line. Empty where it is the image's own.
      is_of_machine: the data is not to blame, as where a package is missing.
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
    """What is found while a data set is listed and read: problems, which refuse it, and notes, which do not.

    Attributes:
      notes: what a person should know, a sentence each.
      advice: what to do about some of the problems together, a sentence each.
      without_image: rows of tables that are left out as their image is not there: split, id, label and the problem.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    without_image: list[tuple[str, str, str, Problem]] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    def refuse(self, place: str, rule: str, got: str, way_out: str) -> None:
        """Adds a problem."""
        self.problems.append(Problem(place, rule, got, way_out))

    def raise_problems(self) -> None:
        """Raises:
        DataError: with all problems, where there are any.
        """
        if self.problems:
            raise DataError(_by_cause(self.problems), " ".join(dict.fromkeys(self.advice)))


def _by_cause(problems: Sequence[Problem]) -> list[Problem]:
    """Returns the problems, of each cause the first one, with how many there are."""
    counts = Counter(problem.cause for problem in problems)
    found: dict[object, Problem] = {}
    for number, problem in enumerate(problems):
        if problem.cause in found:
            continue
        if problem.cause and (more := counts[problem.cause] - 1):
            words = f" (and {counted(more, 'more image')})"
            rule, got = (problem.rule, problem.got + words) if problem.got else (problem.rule + words, "")
            problem = replace(problem, rule=rule, got=got)
        found[problem.cause or number] = problem
    return list(found.values())


class DataError(UserError, ValueError):
    """The data breaks a rule.

    Args:
      problems: all of them; the first `SHOWN` are shown, a line each.
      advice: what to do about them together, shown in a line of its own; empty for none.
    """

    def __init__(self, problems: Sequence[Problem], advice: str = "") -> None:
        self.problems = list(problems)
        self.advice = advice
        super().__init__(self.problems, advice)

    def __str__(self) -> str:
        more = len(self.problems) - SHOWN
        lines = [*map(str, self.problems[:SHOWN]), f"... and {more} more" if more > 0 else "", self.advice]
        return "\n".join(filter(None, lines))


def shown(text: str) -> str:
    """Returns a value as a message shows it: quoted, unprintable characters escaped, at most 120 long."""
    text = printable(text)
    return f"`{text if len(text) <= 120 else text[:117] + '...'}`"


def printable(text: str) -> str:
    """Returns the text with its unprintable characters escaped: a place as a message shows it."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
