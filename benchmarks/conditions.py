"""Describes in words the conditions of a measurement: command, commit, machine and versions."""

import os
import platform
import re
from datetime import date
from pathlib import Path

from sweep.storage.versions import code_commit, current_versions


def conditions(command: str, runs: str) -> str:
    """Returns a sentence with the conditions of a measurement.

    Args:
      command: the command that measures.
      runs: the number of runs in words.
    """
    versions = ", ".join(f"{package} {version}" for package, version in current_versions().items())
    return (
        f"`{command}`, {date.today()}, commit {code_commit()}, {machine()}, {runs}; "
        f"Python {platform.python_version()}, {versions}."
    )


def machine() -> str:
    """Returns the processor, whether it has units for bf16, and the memory of this machine in words."""
    cpu_info = Path("/proc/cpuinfo").read_text()
    names = re.findall(r"model name\s*: (.*)", cpu_info)
    bf16 = "with" if "avx512_bf16" in cpu_info else "without"  # `trainable/precision.py` decides by the same flag
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()} {bf16} bf16 units, {gib:.0f} GiB"
