"""On what something was measured, in words."""

import os
import platform
import re
from datetime import date
from pathlib import Path

from sweep.storage.versions import code_commit, current_versions


def conditions(command: str, runs: str) -> str:
    versions = ", ".join(f"{package} {version}" for package, version in current_versions().items())
    return (
        f"`{command}`, {date.today()}, commit {code_commit()}, {machine()}, {runs}; "
        f"Python {platform.python_version()}, {versions}."
    )


def machine() -> str:
    about = Path("/proc/cpuinfo").read_text()
    names = re.findall(r"model name\s*: (.*)", about)
    bf16 = "with" if "avx512_bf16" in about else "without"  # what `trainable/precision.py` goes by
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()} {bf16} bf16 units, {gib:.0f} GiB"
