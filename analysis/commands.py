"""Builds the commands that reports and messages tell a person to run."""

import os
import shlex
from dataclasses import asdict

from sweep.analysis.record import Record
from sweep.analysis.trial_record import TrialRecord
from sweep.storage import paths, user_code
from sweep.storage.programs import typed, without_program
from sweep.storage.sweep_file import SEARCH, SweepFile

HERE = "data"  # the folder, in the working directory, that a search without --data takes if it exists


def command_of(record: Record, trial: TrialRecord) -> str:
    """Returns the command that trains a trial's config again, alone, on the data of the sweep."""
    settings = record.settings
    options = {"data": settings.data} | asdict(settings.data_options)
    options |= {"seed": settings.seed, "metric": settings.metric}
    config = f"{paths.trial_folder(record.folder, trial.number)}/config.json"
    words = [*typed("train"), "--config", config, *own_code(record.file)]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def search_command(record: Record, *words: str) -> str:
    """Returns the command that continues a search, with some more words at its end.

    It names the user's own files that the search uses, because those run only if the command names them. It names the
    data, because a command without --data takes the folder `data/` if there is one.
    """
    data = record.settings.data
    options = [word for pair in own_space(record).items() for word in pair]
    options += own_code(record.file)
    is_generated = paths.is_same(data, str(paths.own_images(record.folder)))
    if not (paths.is_same(data, HERE) or (is_generated and not os.path.exists(HERE))):
        options += ["--data", data]
    return shlex.join([*typed("run"), "--sweep", f"{record.folder}", *options, *words])


def own_space(record: Record) -> dict[str, str]:
    """Returns the option that names a space in a file of the user's; empty for a published space.

    A published space needs no option, because the sweep records its name.
    """
    space = record.settings.space
    return {"--space": space} if space and user_code.is_reference(space) else {}


def own_code(file: SweepFile) -> list[str]:
    """Returns the options --code that permit a command to run the user's own files that a sweep uses."""
    return [f"--code={reference}" for reference in file.own]


def command_to_go_on(record: Record) -> str:
    """Returns the command that was typed at the last start; empty if there was no start.

    If the sweep was moved since, the paths in the command are replaced by those that hold now.
    """
    settings, folder = record.settings, record.folder.resolve()
    last = record.file.starts[-1] if record.file.starts else None
    command = last.command if last else ""
    if last is None or last.folder in (None, f"{folder}"):
        return command
    kind = record.file.kind
    try:
        words = shlex.split(command)
    except ValueError:  # a driver never writes such a command
        return command
    # Paths in the command may be relative to a working directory that is not recorded.
    options = {} if paths.is_same(settings.data, str(paths.own_images(folder, kind))) else {"--data": settings.data}
    if kind == SEARCH:
        options |= {"--sweep": f"{folder}"} | own_space(record)
    else:
        program, words = _without_arguments(words)
        words = [*program, f"{folder.parent}", *words]
    return shlex.join(_with_options(words, options))


def _without_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """Returns the words that name a command, and its options without its arguments; each option has a value."""
    program, rest = without_program(words)
    options, values = list[str](), iter(rest)
    for word in values:
        if word.startswith("--"):
            options += [word] if "=" in word else [word, next(values, "")]
    return program, options


def _with_options(words: list[str], values: dict[str, str]) -> list[str]:
    """Returns a command's words in which these options have these values; missing options are added."""
    result, rest = list[str](), iter(words)
    for word in rest:
        name, equals, _ = word.partition("=")
        result += [name, values[name]] if name in values else [word]
        if name in values and not equals:
            next(rest, "")
    return result + [word for name, value in values.items() if name not in result for word in (name, value)]
