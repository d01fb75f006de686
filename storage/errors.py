"""The errors that the user can mend. This module imports nothing heavy."""


class UserError(Exception):
    """Something that the user gave or did cannot be used; the message says which rule it breaks, and what to do.

    A command that meets such an error prints the message without a traceback and ends with the exit code.

    Attributes:
      exit_code: one of `storage.command_line.Exit`.
    """

    exit_code = 2


class ConfigError(UserError, ValueError):
    """A config, a search space or a setting breaks a rule; the message says which, with the value."""


class SweepError(UserError):
    """There is no sweep where one was expected, or it cannot be read."""
