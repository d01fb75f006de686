"""Checks the ids and labels that come out of a container by the same rules as those in a table."""

from sweep.datasets.labels import id_problem, label_problem
from sweep.datasets.problems import Findings, Problem, shown
from sweep.datasets.sources.listing import Listing


def check_listing(listing: Listing, findings: Findings) -> Listing:
    """Returns the rows of a listing whose id and label may be used; each of the others adds a problem."""
    good: list[int] = []
    first: dict[str, int] = {}
    of_labels: dict[str, Problem | None] = {}
    for row, name in enumerate(listing.ids):
        place = listing.place_of(row)
        problem = id_problem(name, place)
        if problem is None and first.setdefault(name, row) != row:
            problem = Problem(place, "id must be unique", f"{shown(name)} again", "give another --id-column")
        if problem is None and listing.labels is not None:
            label = listing.labels[row]
            if label not in of_labels:
                of_labels[label] = label_problem(label, place)
            if broken := of_labels[label]:
                problem = Problem(place, broken.rule, broken.got, broken.way_out)
        if problem is None:
            good.append(row)
        else:
            findings.problems.append(problem)
    return listing if len(good) == len(listing.ids) else listing.take(good)
