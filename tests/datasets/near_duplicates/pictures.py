"""Pictures that look like photographs to a hash: smooth shapes in colours; and copies of them."""

import cv2
import numpy as np


def pictures(count: int, side: int, seed: int = 0) -> np.ndarray:
    """Returns (count, 3, side, side) uint8: noise of all sizes, as photographs have it, no two alike."""
    rng = np.random.default_rng(seed)
    total = np.zeros((count, side, side, 3), np.float32)
    for fine in (3, 5, 9, 15):
        noise = rng.normal(0, 1, (count, fine, fine, 1)) + rng.normal(0, 0.25, (count, fine, fine, 3))
        noise = (110 / fine**0.5 * noise).astype(np.float32)
        total += np.stack([cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in noise])
    return np.ascontiguousarray(np.clip(total + 128, 0, 255).astype(np.uint8).transpose(0, 3, 1, 2))


def encoded_again(image: np.ndarray) -> np.ndarray:
    upright = np.ascontiguousarray(image.transpose(1, 2, 0))
    data = cv2.imencode(".jpg", upright, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR).transpose(2, 0, 1)


def resized_and_back(image: np.ndarray) -> np.ndarray:
    side = image.shape[1]
    small = cv2.resize(
        np.ascontiguousarray(image.transpose(1, 2, 0)), (round(0.9 * side),) * 2, interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (side, side)).transpose(2, 0, 1)


def cropped(image: np.ndarray) -> np.ndarray:
    """2 % of each side is cut off."""
    side = image.shape[1]
    where = np.array([[0.96, 0, 0.02 * (side - 1)], [0, 0.96, 0.02 * (side - 1)]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    upright = np.ascontiguousarray(image.transpose(1, 2, 0))
    return cv2.warpAffine(upright, where, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE).transpose(2, 0, 1)


def brighter(image: np.ndarray) -> np.ndarray:
    return np.clip(image * 1.05, 0, 255).astype(np.uint8)


def mirrored(image: np.ndarray) -> np.ndarray:
    return image[:, :, ::-1]


COPIES = (encoded_again, resized_and_back, cropped, brighter, mirrored)
