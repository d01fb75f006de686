"""How a command ends as a process. Imports nothing heavy."""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from datasets.text import stop_printing, use_utf8
from trainable.bucket import drop_copies


def program(command: Callable[[], Any]) -> None:
    """Runs a command as this process, and ends it without unmaking its modules, which takes two seconds after torch."""
    code: Any = 0
    use_utf8()
    try:
        command()
    except SystemExit as end:
        code = end.code
    except BrokenPipeError:
        code = stop_printing()
    except BaseException:
        traceback.print_exc()
        code = 1
    drop_copies()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it is gone
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
