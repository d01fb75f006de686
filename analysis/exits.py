"""How the commands that read a sweep end when they cannot do what they were asked."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from analysis.folder import STORAGE_FAILS
from analysis.record import SweepError
from datasets.manifest import DataError
from datasets.text import stop_printing
from trainable.bucket import with_addresses
from trainable.files import DamagedError

YOURS_TO_MEND = 2


@contextmanager
def exit_codes() -> Iterator[None]:
    """What the user has to mend in the block, and a storage that fails, end the process with its code and a message."""
    try:
        yield
    except (SweepError, DataError, DamagedError) as error:
        print(with_addresses(str(error)), file=sys.stderr)
        sys.exit(YOURS_TO_MEND)
    except BrokenPipeError:
        sys.exit(stop_printing())
    except OSError as error:
        print(with_addresses(str(error)), file=sys.stderr)
        sys.exit(STORAGE_FAILS)
