"""Text that a command reads, writes and prints, whatever the locale is. Imports nothing heavy."""

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
    """`1 trial`, `1,173 images`.

    Args:
      nouns: the plural; by default the noun with an s.
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"


def _readable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replaces what an encoding has no character for: punctuation by ASCII, a letter by its number, `\\xfc`.

    A byte of a file name that is no text in the encoding of file names is passed on as it is.
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

    Each takes its own descriptor, the lowest that is free, and programs begun from here have it too: the next file that
    is opened would have it else, and would get what they print.
    """
    for name in STREAMS:
        if getattr(sys, name) is None:
            stream = open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115 (as long as the process)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


def use_utf8() -> None:
    """Reads and writes names and files as UTF-8, and lets the two outputs print every text, whatever their encoding is.

    In a locale of another encoding the command is begun anew in Python's UTF-8 mode, which only a start can choose; its
    outputs keep the encoding of the locale, which is the terminal's.
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
    """To be called after a BrokenPipeError: nobody reads the output; returns the exit code to end with."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return READER_GONE
