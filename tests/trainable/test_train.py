import json

from click.testing import CliRunner

from sweep.trainable.train import main


def test_a_config_in_folds_is_trained_on_each_and_their_mean_is_said(tiny_data, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"arch": "mlp", "width": 0.1, "epochs": 2, "batch_size": 16}))

    result = CliRunner().invoke(
        main, ["--config", f"{tmp_path / 'config.json'}", "--data", f"{tiny_data}", "--folds", "3"]
    )

    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line for line in lines if line.startswith("fold ")] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert sum(line.startswith("epoch 2/2") for line in lines) == 3
    bests = [
        max(float(line.split("valid accuracy ")[1].split()[0]) for line in lines[at : at + 2])
        for at in (lines.index(f"fold {fold} of 3") + 1 for fold in (1, 2, 3))
    ]
    mean = float(lines[-1].split("mean over the folds ")[1].split(",")[0])
    assert abs(mean - sum(bests) / 3) < 2e-4
