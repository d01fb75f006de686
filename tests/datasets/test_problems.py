import pickle

import pytest

from sweep.datasets.problems import DataError, Findings, Problem

PROBLEM = Problem("train.csv:2", "label must not be empty", "``", "give it another")


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (PROBLEM, "train.csv:2: label must not be empty, got ``; give it another"),
        (
            Problem("a.csv:3", "row must not be blank", "", "remove the line"),
            "a.csv:3: row must not be blank; remove the line",
        ),
        (
            Problem("", "--image-size must be 2 or more", "1", "give another"),
            "--image-size must be 2 or more, got 1; give another",
        ),
    ],
    ids=["all of it", "nothing instead", "a flag"],
)
def test_a_problem_is_shown_as_one_line(problem, line):
    assert str(problem) == line


def test_an_error_shows_20_problems_and_counts_the_rest_before_its_advice():
    problems = [Problem("", f"problem {number}", "", "mend it") for number in range(25)]
    error = DataError(problems, "All of this at once: fetch the data again.")

    assert str(error).splitlines()[19:] == [
        "problem 19; mend it",
        "... and 5 more",
        "All of this at once: fetch the data again.",
    ]
    assert str(DataError([PROBLEM])) == str(PROBLEM)


def test_an_error_comes_whole_out_of_another_process():
    error = pickle.loads(pickle.dumps(DataError([PROBLEM], "Fetch it again.")))

    assert (error.problems, error.advice) == ([PROBLEM], "Fetch it again.")


def test_findings_are_raised_only_where_there_is_a_problem():
    findings = Findings(notes=["No test split."])
    findings.raise_problems()

    findings.refuse("train.csv:2", "label must not be empty", "``", "give it another")

    with pytest.raises(DataError) as error:
        findings.raise_problems()
    assert error.value.problems == [PROBLEM]


def test_problems_of_one_cause_are_told_in_one_line_with_their_number():
    findings = Findings()
    for number in range(3):
        findings.problems.append(Problem(f"a/{number}.dcm", "image is DICOM", "", "install it", cause="pydicom"))
        findings.problems.append(Problem(f"x.npz/{number}", "image must be readable", str(number), "scale", cause="x"))
        findings.problems.append(Problem(f"b/{number}.png", "image must be whole", "a part", "replace it"))

    with pytest.raises(DataError) as error:
        findings.raise_problems()

    assert str(error.value).splitlines() == [
        "a/0.dcm: image is DICOM (and 2 more images); install it",
        "x.npz/0: image must be readable, got 0 (and 2 more images); scale",
        *(f"b/{number}.png: image must be whole, got a part; replace it" for number in range(3)),
    ]
