"""Albumentations, the language in which augmentation is written; it is imported here and nowhere else."""

import os

# Read by albumentations when it is imported: without it, every process asks a package index for
# a newer version and waits up to 2 s for the answer.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations as A

__all__ = ["A"]
