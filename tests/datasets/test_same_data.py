"""What was accepted before the sources is the same data for ever, under the rules of then and the newest."""

import pytest

from sweep.datasets.load import load
from tests.trees import table, with_class_folders, with_manifests, write

TEST_IDS = [f"test{number}.png" for number in range(3)]
IN_ANOTHER_ORDER = table("id,label", *(f"{name},a" for name in TEST_IDS[::-1]))


def without(tree, *beginnings):
    return {name: data for name, data in tree.items() if not name.startswith(beginnings)}


def renamed(tree, old, new):
    return {name.replace(old, new): data for name, data in tree.items()}


def with_labelled_test_folders():
    tree = without(with_class_folders(), "test/")
    images = [with_class_folders()[f"test/{name}"] for name in TEST_IDS]
    return tree | {f"test/{label}/{name}": data for label, name, data in zip("abc", TEST_IDS, images, strict=True)}


TREES = {
    "tables": with_manifests(),
    "class folders": with_class_folders(),
    "tables, no validation": without(with_manifests(train=24), "validation.txt"),
    "class folders, no validation": without(with_class_folders(train=24), "validation/"),
    "tables, no test": without(with_manifests(), "test", "sample"),
    "tables with labels of test": with_manifests()
    | {"test.txt": table("id,label", *(f"{name},{number}" for number, name in enumerate(TEST_IDS)))},
    "class folders of test": with_labelled_test_folders(),
    "class folders with sample": with_class_folders() | {"sample_submission.csv": IN_ANOTHER_ORDER},
    "on top": {f"top/{name}": data for name, data in with_manifests().items()},
    "many": with_class_folders(20, 8, 5, 5),
    "csv": renamed(with_manifests(), ".txt", ".csv"),
    "deep": renamed(with_class_folders(), "/train", "/x/train"),
}
FINGERPRINTS = {
    "tables": "aedf6c948c74eb76618f219257c76608ae924704c9ade84fba291d73fe6a6f47",
    "class folders": "010cd3959a053e5b6e0edd56e5568bdf8e7ac2c85ef162c8b57bc221da1d6f43",
    "tables, no validation": "21f229c7b31c91fca7599114dd79137b8b2dab8b4134f9addffc4d91e8017d04",
    "class folders, no validation": "22f4346a83906fc053a163627f0635e68dc3b90b313919bb65f55331b744e249",
    "tables, no test": "ea1659d863e39f17e5a94035c65c815c61d566943a06111ae73e9776414a0f88",
    "tables with labels of test": "baf053019d8cba9a92313076f8c80e9f016440cefb61b449925062d458706fd1",
    "class folders of test": "7e2a4ac5f833556ba2351af4f8d23141f8eafba74535832fdcd8e1ec088bc3b4",
    "class folders with sample": "010cd3959a053e5b6e0edd56e5568bdf8e7ac2c85ef162c8b57bc221da1d6f43",
    "on top": "aedf6c948c74eb76618f219257c76608ae924704c9ade84fba291d73fe6a6f47",
    "many": "9b3a5d0ae874b2d878f414fc67200a9b3e79fc20df18eadfcca1cab77c073970",
    "csv": "aedf6c948c74eb76618f219257c76608ae924704c9ade84fba291d73fe6a6f47",
    "deep": "5b4751ef6269408f48b3b1b16fadd029286b53a8125e4fe8655fa1c2e99346d5",
}


@pytest.mark.parametrize("listing", [2, 3])
@pytest.mark.parametrize("name", TREES)
def test_the_fingerprint_is_what_it_was(name, listing, tmp_path):
    assert load(write(TREES[name], tmp_path / "data"), listing=listing).fingerprint == FINGERPRINTS[name]
