import io
import os
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from datasets.decode import ImageError, decode, resize
from datasets.images import load, load_images, stratified
from datasets.manifest import DataError
from datasets.source import Source

RNG_PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = RNG_PIXELS[..., 0]


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """The PNG with one more chunk after its header."""
    return png[:33] + chunk(kind, body) + png[33:]


def turned(kind: str) -> bytes:
    """The pixels stored on their side, with the EXIF orientation that puts them up."""
    image = Image.fromarray(np.rot90(RNG_PIXELS).copy())
    exif = image.getexif()
    exif[0x0112] = 6
    return encoded(image, kind, exif=exif)


def sixteen_bits(kind: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(f".{kind}", pixels)[1].tobytes()


RGB = Image.fromarray(RNG_PIXELS)
PNG = encoded(RGB)
WIDE = RNG_PIXELS.astype(np.uint16) * 257
ALPHA = np.dstack([RNG_PIXELS, np.where(GREY > 127, 255, 0).astype(np.uint8)])
OVER_WHITE = np.where(ALPHA[..., 3:] == 255, RNG_PIXELS, 255)

GOOD = {
    "rgb": (PNG, RNG_PIXELS),
    "bmp": (encoded(RGB, "BMP"), RNG_PIXELS),
    "tiff": (encoded(RGB, "TIFF"), RNG_PIXELS),
    "webp": (encoded(RGB, "WEBP", lossless=True), RNG_PIXELS),
    "with junk behind": (PNG + b"junk", RNG_PIXELS),
    "grey": (encoded(Image.fromarray(GREY)), np.dstack([GREY] * 3)),
    "1 bit": (encoded(Image.fromarray(GREY > 127)), np.dstack([np.where(GREY > 127, 255, 0)] * 3)),
    "palette": (encoded(RGB.quantize(64)), np.asarray(RGB.quantize(64).convert("RGB"))),
    "rgba": (encoded(Image.fromarray(ALPHA)), OVER_WHITE),
    "webp with alpha": (encoded(Image.fromarray(ALPHA), "WEBP", lossless=True), OVER_WHITE),
    "grey and alpha": (
        encoded(Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(ALPHA[..., 3].copy())])),
        np.dstack([np.where(ALPHA[..., 3] == 255, GREY, 255)] * 3),
    ),
    "one transparent colour": (
        with_chunk(PNG, b"tRNS", struct.pack(">HHH", *map(int, RNG_PIXELS[0, 0]))),
        np.where((RNG_PIXELS[0, 0] == RNG_PIXELS).all(-1, keepdims=True), 255, RNG_PIXELS),
    ),
    "16-bit png": (sixteen_bits("png", WIDE[..., ::-1]), RNG_PIXELS),
    "16-bit tiff": (sixteen_bits("tiff", WIDE[..., ::-1]), RNG_PIXELS),
    "16-bit grey": (sixteen_bits("png", WIDE[..., 0]), np.dstack([GREY] * 3)),
    "16-bit grey tiff": (sixteen_bits("tiff", WIDE[..., 0]), np.dstack([GREY] * 3)),
    "16-bit rgba": (sixteen_bits("png", (ALPHA.astype(np.uint16) * 257)[..., [2, 1, 0, 3]]), OVER_WHITE),
    "16 bits are rounded": (
        sixteen_bits("png", np.array([[0, 128, 129, 385, 386, 65535]], np.uint16)),
        np.dstack([np.array([[0, 0, 1, 1, 2, 255]])] * 3),
    ),
    "gamma is ignored": (with_chunk(PNG, b"gAMA", struct.pack(">I", 100000)), RNG_PIXELS),
    "turned png": (turned("PNG"), RNG_PIXELS),
    "turned tiff": (turned("TIFF"), RNG_PIXELS),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_of_image_becomes_rgb_by_one_rule(name):
    data, expected = GOOD[name]
    image = decode(data)
    assert (image.dtype, image.ndim) == (np.uint8, 3)
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_is_decoded_in_every_mode(mode):
    flat = Image.new("RGB", (16, 16), (200, 100, 50)).convert(mode)
    assert np.abs(decode(encoded(flat, "JPEG")).astype(int) - np.asarray(flat.convert("RGB"))).max() <= 3


def test_the_jpeg_of_a_phone_with_a_second_picture_in_it_is_its_first():
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    phone = encoded(flat, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert np.abs(decode(phone).astype(int) - np.asarray(flat)).max() <= 3


def test_a_jpeg_is_put_upright():
    assert decode(turned("JPEG")).shape == RNG_PIXELS.shape


OTHER = Image.fromarray(255 - RNG_PIXELS)
JPEG = encoded(RGB, "JPEG")
HUGE_PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5000, 5000, 8, 2, 0, 0, 0))
HUGE_BMP = bytearray(encoded(RGB, "BMP"))
HUGE_BMP[18:26] = struct.pack("<ii", 30000, 30000)

BAD = {
    "empty": (b"", "empty"),
    "html": (b"<!DOCTYPE html>", "got a file that begins with b'<!DOCTYPE ht'"),
    "gif": (encoded(RGB, "GIF"), "must be a PNG, JPEG"),
    **{f"png cut by {cut}": (PNG[:-cut], "cut after") for cut in (1, 4, 12, 13, 100, len(PNG) - 9)},
    "png header alone": (PNG[:8], "cut after"),
    "png with a flipped bit": (PNG[:60] + bytes([PNG[60] ^ 1]) + PNG[61:], "damaged IDAT"),
    **{f"jpeg cut by {cut}": (JPEG[:-cut], "whole image") for cut in (1, 2, len(JPEG) // 2)},
    "webp cut": (encoded(RGB, "WEBP")[:-2], "whole image"),
    "tiff cut": (encoded(RGB, "TIFF")[:-20], "whole image"),
    "bmp cut": (encoded(RGB, "BMP")[:-20], "whole image"),
    "huge png": (HUGE_PNG + chunk(b"IEND", b""), "16,000,000 pixels, got 5000 x 5000"),
    "huge bmp": (bytes(HUGE_BMP), "16,000,000 pixels"),
    "floats": (encoded(Image.fromarray(GREY.astype(np.float32)), "TIFF"), "8 or 16 bits a channel, got 32"),
    **{
        f"animated {kind}": (encoded(RGB, kind, save_all=True, append_images=[OTHER]), "got 2 frames")
        for kind in ("PNG", "WEBP", "TIFF")
    },
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_whole_still_image_is_refused(name):
    data, words = BAD[name]
    with pytest.raises(ImageError) as error:
        decode(data)
    assert words in str(error.value)


def test_resizing_averages_down_and_interpolates_up():
    board = np.indices((8, 8)).sum(0)[..., None].repeat(3, -1) % 2 * 200
    assert (resize(board.astype(np.uint8), (4, 4)) == 100).all()
    assert resize(RNG_PIXELS, (10, 14)).shape == (10, 14, 3)
    assert resize(RNG_PIXELS, (5, 7)) is RNG_PIXELS


# Data sets


def zipped(folder: Path, top: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return path


def by_class(folder: Path, validation: str | None = "val") -> Path:
    """The tiny data as folders of classes."""
    data, out = load(folder), folder.parent / "classes"
    for name, split in (("train", data.train), (validation or "train", data.valid), ("test", data.test)):
        for number, (image, file) in enumerate(zip(split.images, split.ids, strict=True)):
            place = out / name / ("" if split.labels is None else "rgb"[split.labels[number]])
            place.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(place / file), image[..., ::-1])
    return out


def problems_of(*args, **options) -> list[str]:
    with pytest.raises(DataError) as error:
        load(*args, **options)
    return error.value.problems


def test_a_folder_a_zip_and_a_zip_with_a_folder_on_top_are_the_same_data(tiny_data):
    folder = load(tiny_data)
    assert folder.train.images.shape == (60, 16, 16, 3)
    assert folder.train.ids[:2] == ("train00.png", "train01.png")
    assert folder.train.labels.tolist() == [0, 1, 2] * 20
    assert folder.classes == ("0", "1", "2")
    assert folder.test.labels is None
    assert folder.submission_ids == folder.test.ids
    assert folder.notes == ()
    stored = cv2.imread(str(tiny_data / "test" / "test03.png"))[..., ::-1]
    np.testing.assert_array_equal(folder.test.images[3], stored)
    for top in ("", "top/"):
        same = load(zipped(tiny_data, top))
        assert same.fingerprint == folder.fingerprint
        np.testing.assert_array_equal(same.valid.images, folder.valid.images)


def test_folders_of_classes_are_the_same_images(tiny_data):
    data, table = load(by_class(tiny_data)), load(tiny_data)
    assert data.classes == ("b", "g", "r")
    assert data.train.ids[:2] == ("b/train02.png", "b/train05.png")
    assert data.test.ids == table.test.ids
    assert sorted(image.tobytes() for image in data.train.images) == sorted(i.tobytes() for i in table.train.images)
    assert data.submission_ids is None


def test_a_missing_validation_split_is_cut_from_train_and_said(tiny_data):
    (tiny_data / "validation.txt").unlink()
    data = load(tiny_data)
    assert (len(data.train.ids), len(data.valid.ids)) == (51, 9)
    assert np.bincount(data.valid.labels).tolist() == [3, 3, 3]
    assert not set(data.train.ids) & set(data.valid.ids)
    assert data.notes == ("No validation split: 9 of 60 train images were set aside (seed 0).",)
    assert load(tiny_data).fingerprint == data.fingerprint
    assert load(tiny_data, seed=1).fingerprint != data.fingerprint


def test_folders_without_validation_or_test(tiny_data):
    folder = by_class(tiny_data, validation=None)
    shutil.rmtree(folder / "test")
    data = load(folder)  # `train` is the one folder on top, and no wrapping
    assert data.test is None
    assert len(data.valid.ids) == round(0.15 * 90)
    assert "No test split" in data.notes[0]


def test_a_folder_without_an_image_in_it_is_no_split(tiny_data):
    folder = by_class(tiny_data, validation=None)
    shutil.rmtree(folder / "test")
    for name in ("test", "val"):
        (folder / name).mkdir()
        (folder / name / "readme.txt").write_text("nothing yet")
    data = load(folder)
    assert (len(data.train.ids), len(data.valid.ids), data.test) == (76, 14, None)
    shutil.rmtree(folder / "train")
    (folder / "train").mkdir()
    (folder / "train/readme.txt").write_text("nothing yet")
    assert "train must have 2 to 256 classes, got 0" in problems_of(folder)[0]


def test_limits_keep_the_share_of_each_class_and_larger_ones_only_add(tiny_data):
    small, large = load(tiny_data, limit_train=12, limit_valid=6), load(tiny_data, limit_train=30)
    assert np.bincount(small.train.labels).tolist() == [4, 4, 4]
    assert len(small.valid.ids) == 6
    assert set(small.train.ids) < set(large.train.ids)
    assert list(small.train.ids) == sorted(small.train.ids)
    assert len(small.test.ids) == 10
    assert small.fingerprint != large.fingerprint
    assert load(tiny_data, limit_train=1000).fingerprint == load(tiny_data).fingerprint


@pytest.mark.parametrize("count", [3, 10, 40])
def test_a_stratified_draw_has_every_class_and_its_share(count):
    labels = np.array([0] * 40 + [1] * 8 + [2] * 2)
    rows = stratified(labels, count, np.random.default_rng(0))
    counts = np.bincount(labels[rows], minlength=3)
    assert len(rows) == count
    assert counts.min() >= 1
    assert np.abs(counts - count * np.array([0.8, 0.16, 0.04])).max() < 2


def change_label(folder):
    text = (folder / "train.txt").read_text()
    (folder / "train.txt").write_text(text.replace("train00.png,0", "train00.png,1"))


def change_order(folder):
    header, *rows = (folder / "validation.txt").read_text().split()
    (folder / "validation.txt").write_text("\n".join([header, *rows[::-1]]))


def change_pixel(folder):
    path = str(folder / "test" / "test00.png")
    image = cv2.imread(path)
    image[0, 0, 0] ^= 1
    cv2.imwrite(path, image)


@pytest.mark.parametrize("change", [change_label, change_order, change_pixel])
def test_any_change_changes_the_fingerprint(tiny_data, change):
    before = load(tiny_data).fingerprint
    assert load(tiny_data, image_size=16).fingerprint != before
    change(tiny_data)
    assert load(tiny_data).fingerprint != before


def edit(name: str, old: str, new: str):
    def change(folder):
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def put(name: str, data: bytes | None):
    def change(folder):
        (folder / name).unlink()
        if data is not None:
            (folder / name).write_bytes(data)

    return change


def one_class(folder):
    for name in ("train.txt", "validation.txt"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("png,1", "png,0").replace("png,2", "png,0"))


def link_out(folder):
    (folder / "train+validation/train01.png").unlink()
    (folder / "train+validation/train01.png").symlink_to("/etc/hostname")


def loop(folder):
    (folder / "train+validation/train01.png").unlink()
    (folder / "train+validation/train01.png").symlink_to("train01.png")


def pipe(folder):
    (folder / "train+validation/train01.png").unlink()
    os.mkfifo(folder / "train+validation/train01.png")


def directory(folder):
    (folder / "train+validation/train01.png").unlink()
    (folder / "train+validation/train01.png").mkdir()


IMAGE = "train+validation/train01.png"
BROKEN = {
    "image missing": (put(IMAGE, None), "train.txt:3: image must exist, `train01.png` is in no folder"),
    "image is a link out": (link_out, "train.txt:3: image must exist, `train01.png` is a link that leaves"),
    "image is a loop": (loop, "train.txt:3: image must exist, `train01.png` is no regular file"),
    "image is a pipe": (pipe, "train.txt:3: image must exist, `train01.png` is no regular file"),
    "image is a folder": (directory, "train.txt:3: image must exist, `train01.png` is in no folder"),
    "image empty": (put(IMAGE, b""), "train.txt:3: image `train01.png` must be an image, got an empty file"),
    "image cut": (put(IMAGE, PNG[:-3]), "train.txt:3: image `train01.png` must be a whole image"),
    "image of another size": (put(IMAGE, PNG), "must have one size, got 99 of 16x16 px, 1 of 7x5 px"),
    "test image bad": (put("test/test09.png", b"?"), "test.txt:11: image `test09.png` must be a PNG"),
    "train empty": (put("train.txt", b""), "train.txt:1: header"),
    "train without labels": (put("train.txt", b"id\ntrain01.png\n"), "train.txt:1: header must be `id,label` for"),
    "unknown class": (edit("validation.txt", "png,2", "png,7"), "validation.txt:4: image `validation02.png` must have"),
    "rare class": (edit("train.txt", "train00.png,0", "train00.png,9"), "must have 2 images in train, `9` has 1"),
    "one class": (one_class, "train must have 2 to 256 classes, got 1"),
    "number in two ways": (edit("train.txt", "train00.png,0", "train00.png,0.0"), "written in one way"),
    "id twice": (edit("train.txt", "train01.png", "train00.png"), "train.txt:3: id must be unique"),
    "id in two splits": (edit("validation.txt", "validation00.png", "train00.png"), "must be used once"),
    "id leads out": (edit("test.txt", "test00.png", "../test/test00.png"), "test.txt:2: id must be a relative path"),
    "submission of others": (
        edit("sample_submission.txt", "test00", "other"),
        "row 1 has `other.png`, not `test00.png`",
    ),
    "two manifests": (lambda folder: shutil.copy(folder / "test.txt", folder / "test.csv"), "one manifest a split"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bad_data_is_refused_with_place_rule_and_value(tiny_data, name):
    change, words = BROKEN[name]
    change(tiny_data)
    assert any(words in problem for problem in problems_of(tiny_data))


def test_problems_of_every_kind_are_told_at_once(tiny_data):
    put(IMAGE, b"")(tiny_data)
    put("test/test03.png", None)(tiny_data)
    edit("validation.txt", "validation05.png,2", "validation05.png,=2")(tiny_data)
    places = [problem.removeprefix(f"{tiny_data}/").split(" ")[0] for problem in problems_of(tiny_data)]
    assert places == ["validation.txt:7:", "test.txt:5:", "train.txt:3:"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 0}, "--image-size must be 1 to 4000"),
        ({"image_size": 5000}, "got 5000"),
        ({"limit_train": 2}, "--limit-train must be at least the number of classes, 3, got 2"),
        ({"limit_valid": 0}, "--limit-valid must be at least"),
    ],
)
def test_a_setting_out_of_range_is_refused(tiny_data, options, words):
    assert words in problems_of(tiny_data, **options)[0]


def test_images_of_several_sizes_are_resized_on_demand_and_listed(tiny_data):
    put(IMAGE, PNG)(tiny_data)
    data = load(tiny_data, image_size=8)
    assert data.train.images.shape == (60, 8, 8, 3)
    np.testing.assert_array_equal(data.train.images[1], resize(RNG_PIXELS, (8, 8)))
    assert data.notes == ("Images of several sizes: 99 of 16x16 px, 1 of 7x5 px.",)


def test_files_with_the_same_bytes_in_two_splits_are_a_note(tiny_data):
    shutil.copy(tiny_data / "train+validation/train04.png", tiny_data / "train+validation/validation07.png")
    (note,) = load(tiny_data).notes
    assert note == "Same bytes as another image in train: 1 of validation, first `validation07.png` as `train04.png`."


def test_the_same_name_in_two_folders_is_two_images(tiny_data):
    (tiny_data / "test/test00.png").rename(tiny_data / "test/train00.png")
    for name in ("test.txt", "sample_submission.txt"):
        edit(name, "test00.png", "train00.png")(tiny_data)
    data = load(tiny_data)
    assert data.test.ids[0] == data.train.ids[0]
    assert (data.test.images[0] != data.train.images[0]).any()


def test_an_id_finds_its_file_in_either_unicode_form_and_stays_as_it_is(tiny_data):
    (tiny_data / "test/test00.png").rename(tiny_data / "test/cafe\u0301.png")
    for name in ("test.txt", "sample_submission.txt"):
        edit(name, "test00.png", "caf\u00e9.png")(tiny_data)
    data = load(tiny_data)
    assert data.test.ids[0] == "caf\u00e9.png"
    assert "Unicode" in data.notes[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "got nothing there"),
        (lambda path: path.write_bytes(b"no zip"), "got a file that is neither"),
        (lambda path: path.mkdir(), "data must hold train.txt"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "got no files"),
    ],
)
def test_a_path_without_data_is_refused(tmp_path, make, words):
    make(tmp_path / "data")
    assert words in problems_of(tmp_path / "data")[0]


def test_a_cut_zip_is_refused(tiny_data):
    path = zipped(tiny_data)
    path.write_bytes(path.read_bytes()[:-30])
    assert "whole .zip" in problems_of(path)[0]


def test_a_damaged_member_is_named(tiny_data):
    path = zipped(tiny_data)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"IDAT", whole.index(b"train05.png")) + 9] ^= 1
    path.write_bytes(whole)
    assert any("train.txt:7: image `train05.png` must be readable" in problem for problem in problems_of(path))


def test_an_encrypted_zip_is_refused(tiny_data):
    path = zipped(tiny_data)
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(whole)
    assert "must not be encrypted" in problems_of(path)[0]


def test_members_that_lead_out_of_a_zip_are_not_listed(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("../a.png", "/etc/passwd", "b/../../c.png", "good.png"):
            archive.writestr(name, b"x")
        archive.writestr(link, "/etc/passwd")
    with Source(tmp_path / "a.zip") as source:
        assert source.files == {"good.png": 1}
        assert len(source.refused) == 4
        assert source.read("good.png") == b"x"


# New images


def test_new_images_come_sorted_by_name_and_resized(tiny_data):
    (tiny_data / "notes.md").write_text("no image")
    split = load_images(tiny_data, (8, 12))
    assert split.images.shape == (100, 8, 12, 3)
    assert split.ids[0] == "test/test00.png"
    assert list(split.ids) == sorted(split.ids)
    assert load_images(zipped(tiny_data), (8, 12)).ids == split.ids


def test_new_images_of_a_manifest_keep_its_order(tiny_data):
    (tiny_data / "new.csv").write_text("id\ntest05.png\ntest01.png\n")
    split = load_images(tiny_data / "new.csv", (16, 16))
    assert split.ids == ("test05.png", "test01.png")
    np.testing.assert_array_equal(split.images, load(tiny_data).test.images[[5, 1]])


def test_every_bad_new_image_is_listed(tiny_data):
    for name in ("test/test02.png", "test/test04.png"):
        (tiny_data / name).write_bytes(PNG[:50])
    with pytest.raises(DataError) as error:
        load_images(tiny_data / "test", (16, 16))
    assert [problem.split(": ")[0][-10:] for problem in error.value.problems] == ["test02.png", "test04.png"]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="there must be an image"):
        load_images(tmp_path, (16, 16))


@pytest.mark.skipif("SWEEP_TEST_DATA" not in os.environ, reason="SWEEP_TEST_DATA is not set to the real data's zip")
def test_the_real_data_is_read_whole():
    data = load(Path(os.environ["SWEEP_TEST_DATA"]))
    assert [len(split.ids) for split in (data.train, data.valid, data.test)] == [8000, 1173, 2819]
    assert data.train.images.shape == (8000, 16, 16, 3)
    assert data.classes == tuple("0123456")
    assert np.bincount(data.valid.labels).tolist() == [216, 201, 142, 150, 143, 145, 176]
    assert data.submission_ids == data.test.ids
    assert data.notes == ()
