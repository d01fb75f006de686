"""The help of the commands."""

import click
import pytest

from sweep.command import command_of
from sweep.storage.programs import MODULES


@pytest.mark.parametrize("name", MODULES)
def test_a_command_and_each_of_its_flags_say_in_a_sentence_what_they_do(name):
    command = command_of(name)
    flags = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]

    texts = {"the command": command.help, **{option.opts[0]: option.help for option in flags}}

    assert {flag for flag, text in texts.items() if not text or not text[0].isupper() or "." not in text} == set()
