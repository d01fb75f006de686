"""Data sets of five kinds in memory, whole or with something in their containers changed, before their files change."""

import gzip
import hashlib
import io
import json
import struct
import zipfile
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from sweep.datasets.trees.npy import npy_bytes
from tests.mutations import Form, Tree, Truth, packed
from tests.trees import image, table, with_deep_class_folders, with_tables

SPLITS = {"train": 10, "val": 4, "test": 3}  # images
CLASSES = ("cat", "dog")
Row = tuple[str, str, str]  # a name without suffix, its split, its class
ROWS: tuple[Row, ...] = tuple(
    (f"{split}{number}", split, CLASSES[number % 2]) for split, count in SPLITS.items() for number in range(count)
)
TRAIN = [row for row in ROWS if row[1] == "train"]
PICTURES = {name: image(number) for number, (name, _, _) in enumerate(ROWS)}
FULL = {"val": "validation"}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def truths(cut: bool = False, labelled_test: bool = False, group: int = 0) -> dict[str, Truth]:
    """Returns what is true of the pictures.

    Args:
      cut: validation is a part of train.
      group: so many images of a split have a group together.
    """
    found = {}
    for number, (name, split, label) in enumerate(ROWS):
        of = "" if cut and split != "test" else FULL.get(split, split)
        known = label if split != "test" or labelled_test else None
        found[digest(PICTURES[name])] = Truth(known, of, str(number // group) if group else "")
    return found


def tree_of(place: str, rows: list[Row] | tuple[Row, ...] = ROWS) -> Tree:
    """Returns the pictures under names such as `{split}/{label}/{name}.png`."""
    return {place.format(name=name, split=split, label=label): PICTURES[name] for name, split, label in rows}


@cache
def class_folders() -> tuple[Form, ...]:
    rest: Tree = {"README.md": b"about", "LICENSE.txt": b"free to use\n", ".DS_Store": b"\0"}
    deep = with_deep_class_folders(8, 4, 3, classes=2)
    of_deep = {
        digest(data): Truth(
            None if "Testing" in name else name.split("/")[3],
            next(
                split
                for word, split in (("Training", "train"), ("valid", "validation"), ("Te", "test"))
                if word in name
            ),
        )
        for name, data in deep.items()
    }
    twice = {f"set/set_{split}/set_{split}": split for split in SPLITS}
    nested = {
        f"{folder}/{label}/{name}.jpg": PICTURES[name]
        for folder, own in twice.items()
        for name, split, label in ROWS
        if split == own
    }
    below = tree_of("{label}/{split}/{name}.png")
    names = {f"{split}/{label}.{name[-1]}.png": PICTURES[name] for name, split, label in ROWS if split != "test"}
    return (
        Form(dict(deep) | rest, of_deep),
        Form(tree_of("flowers/{label}/{name}.png", TRAIN) | rest, truths(cut=True)),
        Form(dict(nested), truths(labelled_test=True)),
        Form(below, truths(labelled_test=True)),
        Form(dict(names) | tree_of("test/{name}.png", ROWS[-3:]), truths()),
        Form(tree_of("hymenoptera data/{split}/{label}/{name}.png") | rest, truths(labelled_test=True)),
    )


@cache
def tables() -> tuple[Form, ...]:
    flat = tree_of("{split}_images/{name}.png")
    labelled = [(name, label) for name, split, label in ROWS if split != "test"]
    tests = [name for name, split, _ in ROWS if split == "test"]
    sample = table("id_code,diagnosis", *(f"{name},cat" for name in tests))
    in_one = tree_of("images/{name}.png")
    own = dict(with_tables(8, 4, 3, classes=2))
    of_own = {}
    for name, data in own.items():
        if name.endswith(".png"):
            split, stem = name.split("_")[0], name.rpartition("/")[2].removesuffix(".png")
            label = None if split == "test" else str(int(stem.removeprefix(split)) % 2)
            of_own[digest(data)] = Truth(label, FULL.get(split, split))
    lists: Tree = {
        f"meta/{split}.txt": table(*(f"{label}/{name}" for name, of, label in ROWS if of == split))
        for split in ("train", "test")
    }
    lines: Tree = {
        f"{split}/metadata.jsonl": table(
            *(json.dumps({"file_name": f"{name}.png", "label": label}) for name, of, label in ROWS if of == split)
        )
        for split in SPLITS
    }
    bits = table(
        "image_id,cat,dog", *(f"{name},{int(label == 'cat')},{int(label == 'dog')}" for name, label in labelled)
    )
    no_header = table(*(f"{name}.png\t{label}" for name, label in labelled))
    paths = table("Label;Path;Width", *(f'{label};"./images/{name}.png";4' for name, label in labelled))
    measured = table("id_code,age,diagnosis", *(f"{name},{at}.5,{label}" for at, (name, label) in enumerate(labelled)))
    train_test = {"train_images/" + file.rpartition("/")[2]: data for file, data in flat.items() if "test" not in file}
    train_test |= {file: data for file, data in flat.items() if "test" in file}
    cut = truths(cut=True)
    return (
        Form(own, of_own),
        Form({"train.csv": measured, "sample_submission.csv": sample, **train_test}, cut),
        Form({"list.tsv": no_header, **tree_of("images/{name}.png", ROWS[:14])}, cut),
        Form({"train.csv": bits, **train_test}, cut),
        Form({"labels.csv": paths, "notes.md": b"x", **tree_of("images/{name}.png", ROWS[:14])}, cut),
        Form(
            lists | tree_of("images/{label}/{name}.jpg", [row for row in ROWS if row[1] != "val"]), truths(True, True)
        ),
        Form(lines | tree_of("{split}/{name}.png"), truths(labelled_test=True)),
        Form({"labels.json": json.dumps(dict(labelled)).encode(), **in_one}, cut),
    )


@cache
def split_and_groups() -> tuple[Form, ...]:
    header = "patient_id,file,age,split,label"
    whole = table(
        header,
        *(f"p{at // 2},{name}.png,{at}.5,{split},{label}" for at, (name, split, label) in enumerate(ROWS)),
    )
    columns = "label;filename;patient"
    no_split = table(columns, *(f"{label};scan{at};p{at // 3}" for at, (_, _, label) in enumerate(ROWS)))
    scans = {f"data/images/scan{at}.png": PICTURES[name] for at, (name, _, _) in enumerate(ROWS)}
    in_names = table(columns, *(f"{label};{name};p{at // 2}" for at, (name, _, label) in enumerate(ROWS)))
    usage = {"train": "Training", "val": "Training", "test": "Test"}
    two = table(
        "subject\timg\tusage\tclass",
        *(f"{at // 2}\timages/{name}\t{usage[of]}\t{label}" for at, (name, of, label) in enumerate(ROWS)),
    )
    grouped = {key: Truth(one.label, "", one.group) for key, one in truths(True, True, group=3).items()}
    pictures = tree_of("images/{name}.png")
    return (
        Form({"meta.csv": whole, **pictures}, truths(labelled_test=True, group=2)),
        Form({"data/labels.csv": no_split, **scans}, grouped),
        Form({"labels.csv": in_names, **pictures}, truths(labelled_test=True, group=2)),
        Form({"metadata.tsv": two, **pictures}, truths(cut=True, labelled_test=True, group=2)),
    )


# What an array may be instead, by the name of the change.
ARRAY_CHANGES = {
    "as it is": lambda array: array,
    "a row less": lambda array: array[:-1],
    "no rows": lambda array: array[:0],
    "a row twice": lambda array: array[[0, *range(len(array))]],
    "floats": lambda array: array.astype(np.float32) / 255,
    "not finite": lambda array: np.where(array == array.flat[0], np.nan, array.astype(np.float64)),
    "signed": lambda array: array.astype(np.int16) - 1,
    "wide": lambda array: array.astype(np.int64) * 1000,
    "objects": lambda array: array.astype(object),
    "text": lambda array: array.astype("S"),
    "big endian": lambda array: array.astype(">u2"),
    "an axis more": lambda array: array[..., None],
    "flat": lambda array: array.reshape(len(array), -1),
    "in columns": lambda array: np.asfortranarray(array),
    "booleans": lambda array: array.astype(bool),
    "a single value": lambda array: array.flat[0],
}
# Where the header of an array is damaged: what stands there is replaced.
HEADERS = [
    *((b"'shape': (", b"'shape': (9"), (b"'shape': (", b"'shape': (-"), (b"'shape': (", b"'shape': (10**6*")),
    *((b"|u1", b"<f8"), (b"|u1", b"|O"), (b"|u1", b"|S0"), (b"|u1", b"|V9"), (b"False", b"True"), (b"}", b" ")),
    *((b"NUMPY", b"NUMPX"), (b"NUMPY\x01", b"NUMPY\x09"), (b"'shape': (", b"'shape': (99999999999999999999,")),
    *((b"'shape': (", b"'shape': (9999999999999,"), (b"'shape': (", b"'shape': ((((((((((")),
]


@st.composite
def arrays(draw: st.DrawFn) -> Form:
    make = draw(st.sampled_from([numpy_arrays, idx_files, parquet_files, pixel_columns, shards]))
    return make(draw)


def _array_of(split: str, side: int = 5) -> tuple[np.ndarray, np.ndarray]:
    count, start = SPLITS[split], list(SPLITS).index(split)
    pixels = np.random.default_rng(start).integers(0, 256, (count, side, side), dtype=np.uint8)
    return pixels, np.arange(count, dtype=np.uint8) % 2


def _truths_of_arrays(splits: dict[str, str], side: int = 5, labelled_test: bool = True) -> dict[str, Truth]:
    found = {}
    for split, name in splits.items():
        for pixels, label in zip(*_array_of(split, side), strict=True):
            known = str(label) if split != "test" or labelled_test else None
            found[digest(npy_bytes(pixels))] = Truth(known, name)
    return found


def _changed(draw: st.DrawFn, arrays: dict[str, np.ndarray]) -> list[str]:
    """Changes up to two arrays; returns how."""
    steps = []
    for name in draw(st.lists(st.sampled_from(sorted(arrays)), max_size=2, unique=True)):
        change = draw(st.sampled_from(sorted(ARRAY_CHANGES)))
        arrays[name] = np.asarray(ARRAY_CHANGES[change](arrays[name]))
        steps.append(f"{name}: {change}")
    return steps


def _npy(draw: st.DrawFn, array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    data = file.getvalue()
    if draw(st.integers(0, 9)) == 0:
        was, becomes = draw(st.sampled_from(HEADERS))
        data = data.replace(was, becomes + b" " * max(0, len(was) - len(becomes)), 1)
        if (more := len(becomes) - len(was)) > 0:  # the header keeps its length
            data = data.replace(b" " * more + b"\n", b"\n", 1)
    return data


def numpy_arrays(draw: st.DrawFn) -> Form:
    content: dict[str, np.ndarray] = {}
    for split in SPLITS:
        content[f"{split}_images"], content[f"{split}_labels"] = _array_of(split)
    steps = _changed(draw, content)
    if draw(st.booleans()):
        content["extra"] = content[draw(st.sampled_from(sorted(content)))]
        steps.append("an array more")
    files: Tree = {f"{name}.npy": _npy(draw, array) for name, array in content.items()}
    whole = truths_left(_truths_of_arrays({"train": "train", "val": "validation", "test": "test"}), steps)
    if any(data[:8] != b"\x93NUMPY\x01\0" or b"|u1" not in data[:64] for data in files.values()):
        whole = {}
    if draw(st.booleans()):
        return Form(files, whole, tuple(steps))
    kind = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    return Form({"set.npz": packed(files, ".zip", kind), "README.md": b"x"}, whole, tuple(steps))


def truths_left(of: dict[str, Truth], steps: list[str]) -> dict[str, Truth]:
    """Returns the truths where nothing was changed that they are about."""
    return {} if steps else of


def idx_files(draw: st.DrawFn) -> Form:
    tree: Tree = {}
    steps: list[str] = []
    for split, stem in (("train", "train"), ("test", "t10k")):
        for what, array in zip(("images-idx3", "labels-idx1"), _array_of(split), strict=True):
            axes = list(array.shape)
            if draw(st.integers(0, 7)) == 0:
                axes[draw(st.integers(0, len(axes) - 1))] = draw(st.sampled_from([0, 1, 5, 2**31, 2**32 - 1]))
                steps.append(f"{stem}-{what} says {axes}")
            data = struct.pack(f">BBBB{len(axes)}I", 0, 0, 8, len(axes), *axes) + array.tobytes()
            is_packed = draw(st.booleans())
            tree[f"raw/{stem}-{what}-ubyte" + ".gz" * is_packed] = gzip.compress(data, mtime=0) if is_packed else data
    return Form(tree, truths_left(_truths_of_arrays({"train": "", "test": "test"}), steps), tuple(steps))


def parquet_files(draw: st.DrawFn) -> Form:
    steps = []
    tree: Tree = {}
    for split in SPLITS:
        rows = [row for row in ROWS if row[1] == split]
        cells = [{"bytes": PICTURES[name], "path": f"{name}.png"} for name, _, _ in rows]
        columns = {"image": cells, "label": [CLASSES.index(label) for _, _, label in rows]}
        columns["patient"] = [f"p{number // 2}" for number in range(len(rows))]
        for _ in range(draw(st.integers(0, 1))):
            change = draw(
                st.sampled_from(["no bytes", "null", "text", "null label", "other name", "two labels", "several"])
            )
            steps.append(f"{split}: {change}")
            if change == "no bytes":
                cells[0]["bytes"] = draw(st.sampled_from([b"", None, b"x" * 9]))
            elif change == "null":
                cells[-1] = None
            elif change == "text":
                columns["label"] = [label for _, _, label in rows]
            elif change == "null label":
                columns["label"][0] = None
            elif change == "other name":
                columns["../kind"] = columns.pop("label")
            elif change == "two labels":
                columns["class"] = columns["label"][::-1]
            else:
                columns["label"] = [[label] for label in columns["label"]]
        file = io.BytesIO()
        size = draw(st.sampled_from([2, 1000]))
        pq.write_table(pa.table(columns), file, row_group_size=size, use_dictionary=False, compression="none")
        tree[f"data/{split}-00000-of-00001.parquet"] = file.getvalue()
    whole = {
        key: Truth(one.label and str(CLASSES.index(one.label)), one.split) for key, one in truths(False, True).items()
    }
    return Form(tree, truths_left(whole, steps), tuple(steps))


def pixel_columns(draw: st.DrawFn) -> Form:
    tree: Tree = {}
    for split in ("train", "test"):
        pixels, labels = _array_of(split, side=8)
        header = ",".join(["label"] * (split == "train") + [f"pixel{number}" for number in range(64)])
        cells = [
            ",".join([str(label)] * (split == "train") + [str(value) for value in one.ravel()])
            for one, label in zip(pixels, labels, strict=True)
        ]
        tree[f"{split}.csv"] = table(header, *cells)
    if draw(st.booleans()):
        tree["sample_submission.csv"] = table("ImageId,Label", *(f"{number + 1},0" for number in range(SPLITS["test"])))
    if draw(st.booleans()):
        tree = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in tree.items()}
    return Form(tree, _truths_of_arrays({"train": "", "test": "test"}, 8, labelled_test=False))


def shards(draw: st.DrawFn) -> Form:
    tree: Tree = {}
    steps: list[str] = []
    suffix = draw(st.sampled_from([".tar", ".tar.gz"]))
    for split in SPLITS:
        inside: Tree = {}
        for name, of, label in ROWS:
            if of == split:
                inside |= {f"{name}.png": PICTURES[name], f"{name}.cls": str(CLASSES.index(label)).encode()}
        for _ in range(draw(st.integers(0, 1))):
            name = draw(st.sampled_from(sorted(inside)))
            change = draw(st.sampled_from(["delete", "rename", "empty", "double", "json", "link"]))
            steps.append(f"{split}: {change} {name}")
            data = inside.pop(name)
            if change != "delete":
                stem, _, end = name.rpartition(".")
                name = {"rename": f"sub/{name}.x", "double": f"{stem}.v2.{end}", "json": f"{stem}.json"}.get(
                    change, name
                )
                kept = {"double": {f"{stem}.{end}": data}}.get(change, {})
                inside |= kept | {
                    name: {"empty": b"", "json": b'{"label": 1}', "link": "/etc/passwd"}.get(change, data)
                }
        tree[f"{split}-000{suffix}"] = packed(inside, suffix)
    whole = {
        key: Truth(one.label and str(CLASSES.index(one.label)), one.split) for key, one in truths(False, True).items()
    }
    return Form(tree, truths_left(whole, steps), tuple(steps))


@cache
def bomb() -> bytes:
    """Zeros, 300 MiB of them, in a zip of 300 KiB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros.png", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))
    return file.getvalue()


@cache
def packed_bomb() -> bytes:
    return gzip.compress(bytes(300 << 20), 1, mtime=0)


MEMBERS = [  # of an archive, which lead out of it or to what is no file
    *("../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "a\\b.png", "..", "/", "", ".", "./x.png", "a//b.png"),
    *("__MACOSX/x.png", "n\nx.png", "\u202ex.png", "x" * 300 + ".png", "train", "cat/dog/x.png"),
]
TARGETS = ["/etc/passwd", "../../secret.png", "../secret.png", ".", "loop.png"]


@st.composite
def archives(draw: st.DrawFn) -> Form:
    """Data whose folders, or all of it, are archives."""
    form = draw(st.sampled_from((*class_folders(), *tables(), *split_and_groups())))
    suffix = draw(st.sampled_from([".zip", ".tar", ".tar.gz", ".tgz"]))
    is_whole, steps, whole = draw(st.booleans()), [], form.truths
    inside: dict[str, Tree] = {}
    tree: Tree = {}
    for name, data in form.tree.items():
        folder, slash, rest = name.partition("/")
        if is_whole:
            inside.setdefault("data", {})[name] = data
        elif slash:
            inside.setdefault(folder, {})[draw(st.just(name)) if is_whole else rest] = data
        else:
            tree[name] = data
    for _ in range(draw(st.integers(0, 2))):
        archive, whole = inside[draw(st.sampled_from(sorted(inside)))], {}
        kind = draw(st.sampled_from(["member", "link", "nested", "delete", "cut", "double", "bomb"]))
        steps.append(kind)
        if kind == "member":
            archive[draw(st.sampled_from(MEMBERS))] = image(77)
        elif kind == "link":
            archive["loop.png"] = draw(st.sampled_from(TARGETS))
        elif kind == "nested":
            inner = packed(dict(list(archive.items())[:3]), ".zip")
            archive["more.zip"] = (
                packed({"again.zip": packed({"deep.zip": inner}, ".zip")}, ".zip") if draw(st.booleans()) else inner
            )
        elif kind == "bomb" and draw(st.integers(0, 3)) == 0:
            archive[draw(st.sampled_from(["bomb.zip", "bomb.csv.gz", "bomb.tar.gz"]))] = draw(
                st.sampled_from([bomb, packed_bomb])
            )()
        elif archive:
            name = draw(st.sampled_from(sorted(archive)))
            data = archive.pop(name)
            if kind == "cut" and isinstance(data, bytes):
                archive[name] = data[: len(data) // 2]
            elif kind == "double":
                archive |= {name: data, f"other/{name}": data}
    for folder, files in inside.items():
        data = packed(files, suffix, draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])))
        if draw(st.integers(0, 7)) == 0:
            data, whole = _with_wrong_size(draw, data, suffix), {}
            steps.append("wrong size")
        tree[f"{folder}{suffix}"] = data
    if draw(st.integers(0, 3)) == 0:
        tree = {"download.zip": packed(tree, ".zip")}
    return Form(tree, whole, tuple(steps))


def _with_wrong_size(draw: st.DrawFn, data: bytes, suffix: str) -> bytes:
    """Returns an archive whose header says that a member has another size, is encrypted or packed in another way."""
    changed = bytearray(data)
    if suffix == ".zip" and (places := [at for at in range(len(data)) if data[at : at + 4] == b"PK\1\2"]):
        at = draw(st.sampled_from(places))
        field = draw(st.sampled_from([8, 10, 20, 24, 42]))  # flags, packing, packed size, size, place
        struct.pack_into("<H", changed, at + field, draw(st.sampled_from([0, 1, 9, 14, 0xFFFF])))
    elif suffix == ".tar" and len(data) > 512:
        at = 512 * draw(st.integers(0, 3))
        changed[at + 124 : at + 136] = draw(
            st.sampled_from([b"77777777777\0", b"00000000001\0", b"\x80" + b"\xff" * 11])
        )
        header = bytes(changed[at : at + 148]) + b" " * 8 + bytes(changed[at + 156 : at + 512])
        changed[at + 148 : at + 156] = b"%06o\0 " % sum(header)
    return bytes(changed)


FORMS: dict[str, st.SearchStrategy[Form]] = {
    "class folders": st.deferred(lambda: st.sampled_from(class_folders())),
    "tables": st.deferred(lambda: st.sampled_from(tables())),
    "a table of splits and groups": st.deferred(lambda: st.sampled_from(split_and_groups())),
    "arrays": arrays(),
    "archives": archives(),
}
