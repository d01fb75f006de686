"""The command `sweep`: `sweep run --trials 50` does what `python -m search.run --trials 50` does, and so on."""

import sys
from functools import partial
from importlib import import_module

import click

from sweep.storage.command_line import program
from sweep.storage.programs import MODULES


class Commands(click.Group):
    """The group of all commands, which imports the module of a command only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of the commands, in the order in which the help lists them."""
        return list(MODULES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Returns the command of this name; None if there is none."""
        return command_of(name) if name in MODULES else None


def command_of(name: str) -> click.Command:
    """Returns a command by its name; its module is imported for it."""
    module = import_module(f"sweep.{MODULES[name]}")
    command: click.Command = (
        module.main if hasattr(module, "main") else import_module(f"{module.__name__}.__main__").main
    )
    return command


def main() -> None:
    """Runs the command whose name is the first word of the command line."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in MODULES:  # it runs as a program of its own, whose arguments are the words after its name
        sys.argv[:2] = [f"sweep {name}"]
        program(partial(command_of(name), prog_name=f"sweep {name}"))
    group = Commands(help="Searches hyperparameters for an image classifier, and uses what was found.")
    program(partial(group, prog_name="sweep"))


if __name__ == "__main__":
    main()
