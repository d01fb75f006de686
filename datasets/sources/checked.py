"""Checks the ids and labels that come out of a container by the same rules as those in a table."""

from sweep.datasets.labels import id_problem, label_problem
from sweep.datasets.problems import Findings, Problem, shown
from sweep.datasets.sources.listing import Listing


def check_listing(listing: Listing, findings: Findings) -> Listing:
    """Returns the rows of a listing whose id and label may be used; each of the others adds a problem."""
    valid_rows: list[int] = []
    first_rows: dict[str, int] = {}
    label_problems: dict[str, Problem | None] = {}
    for row, name in enumerate(listing.ids):
        place = listing.place_of(row)
        problem = id_problem(name, place)
        if problem is None and first_rows.setdefault(name, row) != row:
            problem = Problem(place, "id must be unique", f"{shown(name)} again", "give another --id-column")
        if problem is None and listing.labels is not None:
            label = listing.labels[row]
            if label not in label_problems:
                label_problems[label] = label_problem(label, place)
            if first_problem := label_problems[label]:
                problem = Problem(place, first_problem.rule, first_problem.got, first_problem.way_out)
        if problem is None:
            valid_rows.append(row)
        else:
            findings.problems.append(problem)
    return listing if len(valid_rows) == len(listing.ids) else listing.take(valid_rows)
