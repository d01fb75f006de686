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
    def collect() -> Iterator[list[str]]:
        words: list[str] = []
        of_thread.words = words
        try:
            yield words
        finally:
            del of_thread.words

    with warnings.catch_warnings(), _silent_stderr():
        show = warnings.showwarning

        def keep(message: Warning | str, *args: Any, **kwargs: Any) -> None:
            if hasattr(of_thread, "words"):
                of_thread.words.append(" ".join(str(message).split()))
            else:
                show(message, *args, **kwargs)

        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield collect


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discards what C libraries write to standard error; Python's own `sys.stderr` still works."""
    try:
        sys.stderr.flush()
        original = os.dup(2)
    except (OSError, ValueError, AttributeError):  # standard error is closed, so nothing can appear on it
        yield
        return
    with ExitStack() as stack:
        stack.callback(os.close, original)
        stack.callback(os.dup2, original, 2)
        reader, writer = os.pipe()
        os.close(reader)  # without a reader, every write into the pipe fails, which C libraries ignore
        os.dup2(writer, 2)
        os.close(writer)
        if _is_descriptor_2(sys.stderr):
            encoding, errors = sys.stderr.encoding, sys.stderr.errors
            stream = stack.enter_context(os.fdopen(os.dup(original), "w", 1, encoding=encoding, errors=errors))
            stack.callback(setattr, sys, "stderr", sys.stderr)
            sys.stderr = stream
        yield


def _is_descriptor_2(stream: Any) -> bool:
    """Returns whether a stream writes to the standard error of the process."""
    try:
        return bool(stream.fileno() == 2)
    except (OSError, ValueError, AttributeError):
        return False
