"""The URL of a ledger in a database, as a command gives it. Imports nothing heavy."""

import os
import sys
from urllib.parse import unquote, urlsplit

from storage.errors import UserError


def without_password(url: str, module: str) -> str:
    """Returns the URL of a database as it may be written down; a password in it goes on in PGPASSWORD alone.

    Every list of processes and Ray's own logs show a command's words, so the command is
    begun anew without it.

    Args:
      module: of the command, which is begun anew.

    Raises:
      UserError: it is no URL of a PostgreSQL database; the message does not repeat it.
    """
    if not url:
        return url
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme == "postgresql" and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:  # of the port, or of brackets
        is_whole = False
    if not is_whole or parts.query or parts.fragment or "@" in parts.path:  # as after a password with a slash in it
        rule = "must be postgresql://[USER@]HOST[:PORT]/DATABASE, special characters percent-encoded"
        raise UserError(f"--ledger: {rule}; the password is best left to PGPASSWORD or ~/.pgpass")
    if parts.password is None:
        return url
    if parts.password:
        os.environ["PGPASSWORD"] = unquote(parts.password)
    clean = url.replace(f":{parts.password}@", "@", 1)
    words = [word.replace(url, clean) for word in sys.argv[1:]]
    if words != sys.argv[1:]:
        os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606 (this program itself)
    return clean
