"""Recognises files that are something else than their name says: a saved web page, or a pointer of Git LFS."""

import re

KNOWN = (
    (
        re.compile(rb"version https:/"),
        "a pointer of Git LFS, not the file itself",
        "fetch the files: git lfs pull, in the repository that they are from",
    ),
    (
        re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)", re.IGNORECASE),
        "a web page, not the file itself",
        "fetch it again: what was saved is a page, such as of an error or a login",
    ),
)


def mistaken_for(head: bytes) -> tuple[str, str] | None:
    """Returns what a file really is, judged by its first bytes, and what to do; None if its name may be right."""
    return next(((noun, way_out) for begins, noun, way_out in KNOWN if begins.match(head)), None)
