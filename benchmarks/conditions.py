"""On what something was measured, in words."""

import os
import platform
import re
from datetime import date
from pathlib import Path

from search.settings import code_commit, current_versions


def conditions(command: str, runs: str) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in current_versions().items())
    return (
        f"`{command}`, {date.today()}, commit {code_commit()}, {machine()}, {runs}; "
        f"Python {platform.python_version()}, {versions}."
    )


def machine() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}, {gib:.0f} GiB"
