"""Catches the warnings of decoding libraries, because they do not name the image.

Pillow warns through Python; libpng, libtiff and OpenCV write to the standard error of the process.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

Warned = Callable[[], AbstractContextManager[list[str]]]


@contextmanager
def caught_words() -> Iterator[Warned]:
    """Keeps warnings of decoding libraries off the screen, in all threads.

    Yields:
      A function that returns a context in which one thread decodes one image; the context yields the list that collects
      Pillow's warnings about it.
    """
    of_thread = threading.local()

    @contextmanager
    def warned() -> Iterator[list[str]]:
        words: list[str] = []
        of_thread.words = words
        try:
            yield words
        finally:
            del of_thread.words

    with warnings.catch_warnings(), _silent_stderr():
        show = warnings.showwarning

        def keep(message: Warning | str, *about: Any, **more: Any) -> None:
            if hasattr(of_thread, "words"):
                of_thread.words.append(" ".join(str(message).split()))
            else:
                show(message, *about, **more)

        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield warned


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discards what C libraries write to standard error; Python's own `sys.stderr` still works."""
    try:
        sys.stderr.flush()
        before = os.dup(2)
    except (OSError, ValueError, AttributeError):  # standard error is closed, so nothing can appear on it
        yield
        return
    with ExitStack() as stack:
        stack.callback(os.close, before)
        stack.callback(os.dup2, before, 2)
        reading, nowhere = os.pipe()
        os.close(reading)  # without a reader, every write into the pipe fails, which C libraries ignore
        os.dup2(nowhere, 2)
        os.close(nowhere)
        if _is_descriptor_2(sys.stderr):
            encoding, errors = sys.stderr.encoding, sys.stderr.errors
            python = stack.enter_context(os.fdopen(os.dup(before), "w", 1, encoding=encoding, errors=errors))
            stack.callback(setattr, sys, "stderr", sys.stderr)
            sys.stderr = python
        yield


def _is_descriptor_2(stream: Any) -> bool:
    """Returns whether a stream writes to the standard error of the process."""
    try:
        return bool(stream.fileno() == 2)
    except (OSError, ValueError, AttributeError):
        return False
