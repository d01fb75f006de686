"""Decodes the text of a table, and removes the lines before its rows that are neither header nor row."""

import codecs
import re

# the first bytes of a file that a spreadsheet saves as "Unicode text"
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SEPARATOR_LINE = re.compile("sep=(.)", re.IGNORECASE)  # Excel writes and reads this as the first line
# more letters outside ASCII in a row than occur in languages of Western Europe
FOREIGN_RUN = re.compile(rb"[\x80-\xff]{3,}")
WINDOWS = "cp1252"


def decoded(data: bytes) -> tuple[str, str]:
    """Returns the text of a table and its encoding: UTF-8, UTF-16, or Windows-1252, in which some spreadsheets save.

    Raises:
      UnicodeDecodeError: it is none of these.
    """
    encoding = BYTE_ORDER_MARKS.get(data[:2], "utf-8-sig")
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError:
        if encoding != "utf-8-sig" or FOREIGN_RUN.search(data) or not _are_letters(data):
            raise
    return data.decode(WINDOWS), WINDOWS


def _are_letters(data: bytes) -> bool:
    """Returns whether all characters outside ASCII are letters in Windows-1252, most of them not beside each other."""
    try:
        text = data.decode(WINDOWS)
    except UnicodeDecodeError:
        return False
    positions = [match.start() for match in re.finditer(r"[^\x00-\x7f]", text)]
    pairs = sum(text[i : i + 2].isalpha() and ord(text[i + 1]) > 127 for i in positions if i + 1 < len(text))
    return all(text[i].isalpha() for i in positions) and pairs * 4 <= len(positions)


def without_preface(text: str) -> tuple[str, str | None]:
    """Returns the text with blank lines in place of lines about the table, and the separator that one of them names.

    Such lines are `sep=;`, comments that begin with `#`, and the number of rows, as in the lists of CelebA.
    """
    lines = text.splitlines(keepends=True)
    separator, start = None, 0
    if lines and (match := SEPARATOR_LINE.fullmatch(lines[0].strip('\ufeff\r\n "'))):
        separator, start = match.group(1), 1
    while start < len(lines) and (lines[start].startswith("#") or not lines[start].strip()):
        start += 1
    rest = [line for line in lines[start + 1 :] if line.strip()]
    if start < len(lines) and lines[start].strip() in (str(len(rest)), str(len(rest) - 1)):
        start += 1
    if not rest:
        return text, separator
    blanks = "".join(line[len(line.rstrip("\r\n")) :] for line in lines[:start])
    return blanks + "".join(lines[start:]), separator
