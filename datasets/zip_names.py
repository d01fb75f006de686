"""Decodes the names of the files in a .zip, which archives store in several ways."""

import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress

# `create_system` of members that were made on DOS, NTFS (for which two numbers are in use) or VFAT
WINDOWS = (0, 10, 11, 14)
IS_UTF8 = 1 << 11  # the flag of a member whose name is UTF-8
UNICODE_PATH = 0x7075  # the extra field of Info-ZIP that repeats the name in UTF-8


def zip_names(members: Sequence[zipfile.ZipInfo]) -> list[tuple[str, bool]]:
    """Returns each member's name with `/` between folders, and whether its encoding is a guess.

    A backslash separates folders if the member was made on DOS or Windows. Some tools on Windows claim to run on Unix,
    so a backslash also separates folders in an archive in which no name has a `/`. Elsewhere it is a character of the
    name.
    """
    names = [decoded_name(member) for member in members]
    no_slash = not any("/" in name for name, _ in names)
    return [
        (_with_slashes(name, is_guess) if no_slash or member.create_system in WINDOWS else name, is_guess)
        for member, (name, is_guess) in zip(members, names, strict=True)
    ]


def decoded_name(member: zipfile.ZipInfo) -> tuple[str, bool]:
    """Returns the name of a member as its maker wrote it, and whether its encoding is a guess.

    The first of these that applies decides: the Unicode path of Info-ZIP, if its checksum is that of the stored name;
    UTF-8 if the member says so; UTF-8 if the bytes are valid, as macOS and Linux store them without saying so; and
    otherwise code page 437, which is the zip format's own and that of older Windows tools, and no more than a guess.
    """
    says_utf8 = bool(member.flag_bits & IS_UTF8)
    # Python's cp437 maps every byte, so nothing is lost
    stored_name = member.orig_filename.encode("utf-8" if says_utf8 else "cp437")
    name = stored_name.partition(b"\0")[0]
    for candidate in (_unicode_path(member.extra, stored_name) or name, name):
        with suppress(UnicodeDecodeError):
            return candidate.decode(), False
    return name.decode("cp437"), True


def _unicode_path(extra: bytes, stored_name: bytes) -> bytes | None:
    """Returns the name in the extra field; None if there is none, or if it belongs to another stored name."""
    start = 0
    while start + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, start)
        field = extra[start + 4 : start + 4 + length]
        if kind == UNICODE_PATH and len(field) > 5 and field[0] == 1:
            (checksum,) = struct.unpack_from("<I", field, 1)
            if checksum == zlib.crc32(stored_name):  # otherwise another tool has renamed the member since
                return field[5:]
        start += 4 + length
    return None


def _with_slashes(name: str, is_guess: bool) -> str:
    """Returns a name with `/` in place of each backslash that separates folders.

    Args:
      name: a name of a member.
      is_guess: the encoding is unknown. In encodings of Japan or China the second byte of a letter may be a backslash,
        so one that follows a letter which is not ASCII stays.
    """
    return re.sub(r"(?<![^\x00-\x7f])\\" if is_guess else r"\\", "/", name)
