"""Finds the split that the name of a folder, a table or a value means: `Training`, `seg_train`, `PrivateTest`."""

import re
from collections.abc import Iterable

TRAIN, VALIDATION, TEST = "train", "validation", "test"
WORDS = {
    TRAIN: (
        *("train", "training", "trainset", "traindata", "tr", "trn"),
        *("entrenamiento", "treino", "treinamento", "entrainement", "addestramento", "训练", "训练集"),
    ),
    VALIDATION: (
        *("validation", "valid", "val", "validate", "validating", "dev", "eval", "evaluation", "publictest"),
        *("validierung", "validacion", "validación", "validacao", "validação", "convalida", "验证", "验证集"),
    ),
    TEST: (
        *("test", "testing", "testset", "testdata", "tst", "te", "pred", "predict", "prediction", "privatetest"),
        *("holdout", "heldout", "unseen", "prueba", "teste", "测试", "测试集"),
    ),
}
SHORT = ("tr", "trn", "tst", "te", "dev", "eval")  # too short or too common to count as a part of a name
OF_WORD = {word: split for split, words in WORDS.items() for word in words}
UNLABELLED = ("pred", "predict", "prediction")  # words for images to predict, which may lie beside a test split
SAMPLE = re.compile("(sample|example|my|random)?.*(submission|submit)|sample_?(solution|predictions?)")


def words_of(name: str) -> list[str]:
    """Returns the words of a name in lower case: `train` and `labels` for `trainLabels2017.csv`."""
    spaced = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\W\d_]+", spaced) if word]


def split_of(name: str) -> str | None:
    """Returns the split that a whole value, or the whole name of a folder, means; None if it means none."""
    return OF_WORD.get(re.sub(r"[\s_\-./]+", "", name.lower()))


def split_in(name: str) -> str | None:
    """Returns the split that a part of a name means; None if no part does, or if parts mean different splits."""
    if split := split_of(name):
        return split
    splits = {OF_WORD[word] for word in words_of(name) if word in OF_WORD and word not in SHORT}
    return splits.pop() if len(splits) == 1 else None


def split_before_number(file: str) -> str | None:
    """Returns the split that the beginning of a file's name means, before its number: train for `train_00001.jpg`."""
    word = re.match(r"([^\W\d_]+)[ _.\-]*\d", file)
    return split_of(word[1]) if word else None


def splits_in(names: Iterable[str]) -> dict[str, str | None]:
    """Returns the split that each name means; evaluation means test if there is validation but no test."""
    splits = {name: split_in(name) for name in names}
    valid = [name for name, split in splits.items() if split == VALIDATION]
    evaluation = [name for name in valid if {"eval", "evaluation"} & set(words_of(name))]
    if TEST not in splits.values() and len(evaluation) < len(valid):
        splits |= dict.fromkeys(evaluation, TEST)
    return splits


def is_of_both(name: str) -> bool:
    """Returns whether a name means train and validation together."""
    words = set(words_of(name))
    return "trainval" in words or ("train" in words and bool(words & {"val", "valid", "validation"}))


def is_of_splits(name: str) -> bool:
    """Returns whether the name of a table says that it assigns images to splits."""
    return bool({"partition", "partitions", "split", "splits"} & set(words_of(name)))


def is_for_prediction(name: str) -> bool:
    """Returns whether the name of a test split means images without labels."""
    return any(word in UNLABELLED for word in words_of(name))


def is_sample(name: str) -> bool:
    """Returns whether the name of a table means a sample submission."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    return SAMPLE.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower()) is not None
