"""Tables whose rows name folders, such as a study or a video: the row of a folder applies to each image in it."""

from collections import defaultdict
from dataclasses import replace

from sweep.datasets.sources.images import Images, folder_of
from sweep.datasets.sources.readers import Columns


def with_images(columns: Columns, images: Images) -> Columns:
    """Returns the table with a row for each image if a column holds paths of folders; otherwise the table itself."""
    by_folder: dict[str, list[str]] = {}
    for number in range(columns.width):
        paths = [path.replace("\\", "/").strip("/") for path in columns.column(number)]
        if len(set(paths)) < len(paths) or not all("/" in path for path in paths[1:]) or len(paths) < 2:
            continue
        by_folder = by_folder or _images_by_folder(images)
        if not _images_in(paths[-1], by_folder):
            continue
        matches = [_images_in(path, by_folder) for path in paths]
        if not all(matches[1:]):
            continue
        rows = [
            (line, (*row[:number], file, *row[number + 1 :]))
            for row, line, files in zip(columns.rows, columns.lines, matches, strict=True)
            for file in files or ([] if columns.header or matches[0] else [row[number]])  # the first row is the header
        ]
        return replace(columns, rows=tuple(row for _, row in rows), lines=tuple(line for line, _ in rows))
    return columns


def _images_by_folder(images: Images) -> dict[str, list[str]]:
    """Returns the images in each folder."""
    by_folder = defaultdict(list)
    for file in images.files:
        by_folder[folder_of(file)].append(file)
    return by_folder


def _images_in(path: str, by_folder: dict[str, list[str]]) -> list[str]:
    """Returns the images of a folder whose path may begin above the data, or below its top."""
    while path:
        if path in by_folder:
            return by_folder[path]
        path = path.partition("/")[2]
    return []
