"""Catches what decoding libraries say of an image, for they say it without its name.

Pillow warns through Python; libpng, libtiff and OpenCV write on the process's standard error.
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
    """Keeps the words of decoding libraries off the screen, also of those that other threads decode by.

    Yields:
      A context in which one thread decodes one image; it yields the list that Pillow's warnings of it go to.
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
    """Sends what C libraries write on standard error nowhere; Python's own `sys.stderr` still goes where it went."""
    try:
        sys.stderr.flush()
        before = os.dup(2)
    except (OSError, ValueError, AttributeError):  # closed: there is nothing to keep clean
        yield
        return
    with ExitStack() as stack:
        stack.callback(os.close, before)
        stack.callback(os.dup2, before, 2)
        reading, nowhere = os.pipe()
        os.close(reading)  # what is written into the pipe is refused, and that nobody hears
        os.dup2(nowhere, 2)
        os.close(nowhere)
        if _is_descriptor_2(sys.stderr):
            encoding, errors = sys.stderr.encoding, sys.stderr.errors
            python = stack.enter_context(os.fdopen(os.dup(before), "w", 1, encoding=encoding, errors=errors))
            stack.callback(setattr, sys, "stderr", sys.stderr)
            sys.stderr = python
        yield


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (OSError, ValueError, AttributeError):
        return False
