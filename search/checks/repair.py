"""Mends what an inspection of a sweep found, a copy of everything first; the driver's lock must be held."""

from pathlib import Path

from search.checks.backup import Backup
from search.checks.findings import Finding, Inspection
from search.checks.inspection import inspect_folder
from search.checks.results import forget_results

MOST_ROUNDS = 4  # what was hidden behind a damage is found when that is mended


def repair(folder: Path, first: Inspection) -> tuple[list[Finding], Inspection, Path | None]:
    """Mends in rounds until an inspection finds nothing more that can be mended.

    Args:
      first: of the sweep as it is.

    Returns:
      what was mended, a last inspection, and the folder with the copies, None where nothing had to be copied.

    Raises:
      OSError: the storage fails; what was mended so far stays, and a second call goes on.
    """
    backup, inspection, mended = Backup(folder), first, list[Finding]()
    for _ in range(MOST_ROUNDS):
        to_mend = [finding for finding in inspection.findings if finding.mend]
        if not to_mend:
            break
        for mend in dict.fromkeys(finding.mend for finding in to_mend):
            assert mend is not None
            mend(backup)
        if any(finding.is_problem for finding in to_mend):
            forget_results(folder, backup)
        mended += to_mend
        inspection = inspect_folder(folder)
    return mended, inspection, backup.folder if backup.folder.exists() else None
