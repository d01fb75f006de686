"""Which split the name of a folder, a table or a value means: `Training`, `seg_train`, `val_images`, `PrivateTest`."""

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
SHORT = ("tr", "trn", "tst", "te", "dev", "eval")  # too short or too common for a part of a name
OF_WORD = {word: split for split, words in WORDS.items() for word in words}
UNLABELLED = ("pred", "predict", "prediction")  # images that are there to be predicted, beside a test split
SAMPLE = re.compile("(sample|example|my|random)?.*(submission|submit)|sample_?(solution|predictions?)")


def words_of(name: str) -> list[str]:
    """Returns the words of a name in small letters: those of `trainLabels2017.csv` are train and labels."""
    apart = re.sub("(?<=[a-z])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.split(r"[\W\d_]+", apart) if word]


def split_of(name: str) -> str | None:
    """Returns the split that a whole value or the whole name of a folder means; None for any other."""
    return OF_WORD.get(re.sub(r"[\s_\-./]+", "", name.lower()))


def split_in(name: str) -> str | None:
    """Returns the one split that a part of a name means; None where no part does, or two do."""
    if whole := split_of(name):
        return whole
    splits = {OF_WORD[word] for word in words_of(name) if word in OF_WORD and word not in SHORT}
    return splits.pop() if len(splits) == 1 else None


def split_before_number(file: str) -> str | None:
    """Returns the split that the name of a file begins with, before its number: that of `train_00001.jpg` is train."""
    word = re.match(r"([^\W\d_]+)[ _.\-]*\d", file)
    return split_of(word[1]) if word else None


def splits_in(names: Iterable[str]) -> dict[str, str | None]:
    """Returns the split that each name means; evaluation is the test where validation is there as well."""
    splits = {name: split_in(name) for name in names}
    valid = [name for name, split in splits.items() if split == VALIDATION]
    evaluation = [name for name in valid if {"eval", "evaluation"} & set(words_of(name))]
    if TEST not in splits.values() and len(evaluation) < len(valid):
        splits |= dict.fromkeys(evaluation, TEST)
    return splits


def is_of_both(name: str) -> bool:
    """Says whether a name means train and validation together."""
    words = set(words_of(name))
    return "trainval" in words or ("train" in words and bool(words & {"val", "valid", "validation"}))


def is_of_splits(name: str) -> bool:
    """Says whether a table of this name says which image is in which split."""
    return bool({"partition", "partitions", "split", "splits"} & set(words_of(name)))


def is_for_prediction(name: str) -> bool:
    """Says whether a name of a test split means images without labels."""
    return any(word in UNLABELLED for word in words_of(name))


def is_sample(name: str) -> bool:
    """Says whether the name of a table means the sample of what is handed in."""
    stem = name.rpartition("/")[2].rpartition(".")[0]
    return SAMPLE.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stem).lower()) is not None
