"""Text that commands read, write and print, in whatever locale. This module imports nothing heavy."""

import codecs
import os
import signal
import sys
from io import TextIOWrapper

READER_GONE = 128 + signal.SIGPIPE  # the exit code of a command whose output nobody reads any more
IN_ASCII = {"…": "...", "·": "-", "±": "+-", "\N{EN DASH}": "-", "\N{EM DASH}": "-", "\N{NO-BREAK SPACE}": " "}
ERRORS = "sweep.readable"
STREAMS = "stdin", "stdout", "stderr"


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Returns a number with its noun: `1 trial`, `1,173 images`.

    Args:
      number: how many there are.
      noun: the noun in the singular.
      nouns: the plural; by default the noun with an s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"


def _readable(error: UnicodeError) -> tuple[str | bytes, int]:
    r"""Replaces characters that an encoding lacks: punctuation by ASCII, a letter by its number, such as `\xfc`.

    A byte of a file name that is no text in the encoding of file names is passed on unchanged.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    parts = []
    for character in error.object[error.start : error.end]:
        if "\udc80" <= character <= "\udcff":
            parts.append(bytes([ord(character) - 0xDC00]))
        else:
            parts.append(IN_ASCII.get(character, character).encode("ascii", "backslashreplace"))
    return b"".join(parts), error.end


def _open_closed_streams() -> None:
    """Gives a process that was started with standard streams closed (`>&-`) streams that lead nowhere.

    Each new stream gets the descriptor of the closed one, which is the lowest that is free, and programs that this
    process starts inherit it. Otherwise the next file that is opened would get this descriptor, and the output of
    those programs would be written into that file.
    """
    for name in STREAMS:
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115 (as long as the process)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def use_utf8() -> None:
    """Makes this process read and write files and their names as UTF-8, and lets stdout and stderr print every text.

    In a locale with another encoding this process is replaced by the same command in Python's UTF-8 mode, which can
    only be chosen at the start. Its outputs keep the encoding of the locale, because that is the terminal's.
    """
    _open_closed_streams()
    if sys.getfilesystemencoding() != "utf-8":
        os.environ |= {"PYTHONUTF8": "1", "PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 (this program itself)
    codecs.register_error(ERRORS, _readable)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def stop_printing() -> int:
    """Sends all further output to nowhere after a BrokenPipeError, and returns the exit code to end with."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return READER_GONE
