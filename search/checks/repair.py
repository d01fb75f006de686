"""Mends what a look at a sweep found, a copy of everything first; the driver's lock must be held."""

from pathlib import Path

from search.checks.findings import Backup, Finding
from search.checks.look import Look, look
from search.checks.outputs import forget_results

MOST_ROUNDS = 4  # what was hidden behind a damage is found when that is mended


def repair(folder: Path, first: Look) -> tuple[list[Finding], Look, Path | None]:
    """Mends in rounds until a look finds nothing more that can be mended.

    Args:
      first: a look at the sweep as it is.

    Returns:
      what was mended, what a last look found, and the folder with the copies, None where nothing had to be copied.

    Raises:
      OSError: the storage fails; what was mended so far stays, and a second call goes on.
    """
    backup, found, mended = Backup(folder), first, list[Finding]()
    for _ in range(MOST_ROUNDS):
        to_mend = [finding for finding in found.findings if finding.mend]
        if not to_mend:
            break
        for mend in dict.fromkeys(finding.mend for finding in to_mend):
            assert mend is not None
            mend(backup)
        if any(finding.is_problem for finding in to_mend):
            forget_results(folder, backup)
        mended += to_mend
        found = look(folder)
    return mended, found, backup.folder if backup.folder.exists() else None
