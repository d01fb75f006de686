"""The rival: the sweep that one writes by following the documentation of Ray Tune, albumentations and torch.

    python -m benchmarks.docs_loop --data DIR --configs CONFIGS.json

It has a function trainable with one CPU per trial. Each image file is read by cv2 and augmented by one call of an
albumentations Compose, in each epoch anew. It uses a DataLoader with its defaults, and writes a checkpoint after each
epoch. CONFIGS is a list of {arch, p, batch_size, lr, epochs}; DIR is the unpacked data set. docs/speed.md says where
each habit comes from. Prints one JSON line.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # neither side looks for updates over the network

import albumentations as A
import cv2
import numpy as np
import pandas as pd
import torch
from ray import tune
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Images(Dataset):
    """A split of the data set whose images are decoded and augmented each time they are asked for."""

    def __init__(self, root: str, split: str, augmentation: A.Compose) -> None:
        self.folder = f"{root}/train+validation"
        self.table = pd.read_csv(f"{root}/{split}.txt")
        self.augmentation = augmentation

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        row = self.table.iloc[index]
        pixels = cv2.cvtColor(cv2.imread(f"{self.folder}/{row['id']}"), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
        augmented = self.augmentation(image=pixels)["image"].astype(np.float32)
        return torch.tensor(augmented.transpose(2, 0, 1)), int(row["label"])


def cnn() -> nn.Module:
    """Returns a net with two convolutions and three linear layers."""
    features = [nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 10, 3), nn.ReLU(), nn.MaxPool2d(2)]
    head = [nn.Linear(40, 128), nn.ReLU(), nn.Linear(128, 84), nn.ReLU(), nn.Linear(84, 7)]
    return nn.Sequential(*features, nn.Flatten(), *head)


def small_vgg() -> nn.Module:
    """Returns a net with six convolutions and batch norm."""
    layers: list[nn.Module] = []
    channels_in = 3
    for channels, is_pooled in ((32, False), (32, False), (32, False), (64, True), (64, True), (128, True)):
        layers += [nn.Conv2d(channels_in, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout(0.3)] if is_pooled else []
        channels_in = channels
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 7))


def resnet18() -> nn.Module:
    """Returns torchvision's ResNet-18 for seven classes, from scratch."""
    import torchvision

    return torchvision.models.resnet18(num_classes=7)


NETS = {"cnn": cnn, "small_vgg": small_vgg, "resnet18": resnet18}


def train(space: dict, root: str) -> None:
    """Trains one trial and reports after each epoch, as the documentation of Ray Tune shows it."""
    config = space["config"]
    p = config["p"]
    augmentation = A.Compose([A.HorizontalFlip(p=p), A.VerticalFlip(p=p), A.Rotate(p=p), A.Normalize()])
    train_images = Images(root, "train", augmentation)
    train_batches = DataLoader(train_images, batch_size=config["batch_size"], shuffle=True)
    valid_batches = DataLoader(Images(root, "validation", A.Compose([A.Normalize()])), batch_size=256)
    model = NETS[config["arch"]]()
    optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"], momentum=0.9, weight_decay=5e-4)
    loss_of = nn.CrossEntropyLoss()
    first_batch = time.time()
    for _ in range(config["epochs"]):
        model.train()
        for images, labels in train_batches:
            optimizer.zero_grad()
            loss_of(model(images), labels).backward()
            optimizer.step()
        model.eval()
        correct = count = 0
        with torch.no_grad():
            for images, labels in valid_batches:
                correct += (model(images).argmax(1) == labels).sum().item()
                count += len(labels)
        with tempfile.TemporaryDirectory() as folder:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, f"{folder}/state.pt")
            metrics = {"valid_accuracy": correct / count, "first_batch": first_batch, "ended": time.time()}
            tune.report(metrics, checkpoint=tune.Checkpoint.from_directory(folder))


def main() -> None:
    """Runs all configs in a sweep of Ray Tune and prints the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--configs", type=Path, required=True)
    arguments = parser.parse_args()
    configs = json.loads(arguments.configs.read_text())
    trainable = tune.with_parameters(train, root=str(arguments.data.resolve()))
    with tempfile.TemporaryDirectory() as folder:
        results = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space={"config": tune.grid_search(configs)},
            tune_config=tune.TuneConfig(metric="valid_accuracy", mode="max"),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        trials = [result.metrics for result in results]  # type: ignore[attr-defined]  # it has __getitem__
    starts, ends = (sorted(trial[name] for trial in trials) for name in ("first_batch", "ended"))
    workers = os.cpu_count() or 1
    # The k-th trial to start takes the place of the trial that was the (k - workers)-th to end.
    gaps = [start - end for start, end in zip(starts[workers:], ends, strict=False)]
    print(json.dumps({"trials": len(trials), "best": max(trial["valid_accuracy"] for trial in trials), "gaps": gaps}))


if __name__ == "__main__":
    main()
