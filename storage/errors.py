"""The errors that are the user's to mend. Imports nothing heavy."""


class UserError(Exception):
    """Something that the user gave or did cannot be used; the message says what, by which rule, and what to do.

    Every command ends with it as with any other: the message alone, and the exit code, of `storage.command_line.Exit`.
    """

    exit_code = 2


class ConfigError(UserError, ValueError):
    """A config, a search space or a setting breaks a rule; the message says which, with the value."""


class SweepError(UserError):
    """There is no sweep where one was expected, or it cannot be read."""
