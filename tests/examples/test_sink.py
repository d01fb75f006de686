import json

from sweep.search.run import main
from sweep.trainable.loop import train
from tests.copies import ROOT
from tests.searched import command, here


def test_a_sink_of_the_users_own_is_told_of_a_sweep(tiny_data, tmp_path):
    words = (
        "--data",
        tiny_data,
        "--sweep",
        tmp_path / "sweep",
        "--trials",
        2,
        "--fix",
        "arch=mlp",
        "--fix",
        "epochs=2",
    )

    done = command(main, *words, "--no-baselines", "--sink", f"{ROOT}/examples/sink.py:Lines", on=here(train))

    assert done.exit_code == 0, done.output
    events = [json.loads(line) for line in (tmp_path / "sweep/sinks/lines.jsonl").read_text().splitlines()]
    assert [(event["trial"], event["state"]) for event in events] == [(0, "COMPLETE"), (1, "COMPLETE")]
    assert all(event["value"] > 0 for event in events)
