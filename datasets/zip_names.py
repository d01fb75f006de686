"""The names of a .zip's members, which archives store in several ways."""

import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress

WINDOWS = (0, 10, 11, 14)  # the systems DOS, NTFS (two numbers are in use) and VFAT, as a member names its own
IS_UTF8 = 1 << 11  # flag of a member
UNICODE_PATH = 0x7075  # extra field of Info-ZIP: the name in UTF-8, beside one in the encoding of the system


def zip_names(members: Sequence[zipfile.ZipInfo]) -> list[tuple[str, bool]]:
    """Returns each member's name with `/` between folders, and whether its encoding is a guess.

    Backslashes separate folders where the member was made on DOS or Windows. Some tools on Windows say that they are on
    Unix, so they do, too, in an archive of which no name has a `/`; elsewhere a backslash is a letter of the name.
    """
    names = [decoded_name(member) for member in members]
    no_slash = not any("/" in name for name, _ in names)
    return [
        (_with_slashes(name, is_guess) if no_slash or member.create_system in WINDOWS else name, is_guess)
        for member, (name, is_guess) in zip(members, names, strict=True)
    ]


def decoded_name(member: zipfile.ZipInfo) -> tuple[str, bool]:
    """Returns the name of a member as its maker wrote it, and whether its encoding is a guess.

    The first of these that applies decides: Info-ZIP's Unicode path, where its checksum is that of the stored name;
    UTF-8, where the member says so or the bytes are valid UTF-8, as macOS and Linux store them without saying so;
    else code page 437, which is the zip format's own and that of older Windows tools, and no more than a guess.
    """
    says_utf8 = bool(member.flag_bits & IS_UTF8)
    stored = member.orig_filename.encode("utf-8" if says_utf8 else "cp437")  # Python's cp437 has every byte
    name = stored.partition(b"\0")[0]
    for candidate in (_unicode_path(member.extra, stored) or name, name):
        with suppress(UnicodeDecodeError):
            return candidate.decode(), False
    return name.decode("cp437"), True


def _unicode_path(extra: bytes, stored: bytes) -> bytes | None:
    """Returns the name that the extra field holds; None where there is none, or it is of another stored name."""
    start = 0
    while start + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, start)
        field = extra[start + 4 : start + 4 + length]
        if kind == UNICODE_PATH and len(field) > 5 and field[0] == 1:
            (checksum,) = struct.unpack_from("<I", field, 1)
            if checksum == zlib.crc32(stored):  # else another tool has renamed the member since
                return field[5:]
        start += 4 + length
    return None


def _with_slashes(name: str, is_guess: bool) -> str:
    """Returns a name with `/` for each backslash that separates folders.

    Args:
      is_guess: the encoding is unknown. In that of Japan or China the second byte of a letter may be a backslash.
    """
    return re.sub(r"(?<![^\x00-\x7f])\\" if is_guess else r"\\", "/", name)
