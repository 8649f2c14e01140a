"""Numbers out of files: json, NumPy and MATLAB arrays, matrices, depth; each checked and named."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from typing import Any

import numpy as np
import scipy.io

from mmscd.utils.text import read_text

from .images import read_bytes

_BROKEN = (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile, zlib.error)
# what scipy raises beside these for damaged files
_BROKEN_MAT = (*_BROKEN, TypeError, ArithmeticError, MemoryError, NotImplementedError)
_MATLAB_NUMBERS = ('double', 'single', *(f'{u}int{n}' for u in ('', 'u') for n in (8, 16, 32, 64)))


def read_json(path: str | os.PathLike, mend: str) -> Any:
    """Content of a json file. One that is missing (FileNotFoundError), empty or no json
    (ValueError, with the line) is named, with `mend`, what to do then."""
    try:
        return json.loads(read_text(path))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {mend}') from None
    except ValueError as error:
        raise ValueError(f'{path} is no readable json ({error}); {mend}') from None


def numpy_problem(error: Exception) -> str:
    """Why NumPy did not read a file, with what to store instead where pickles were refused."""
    if 'pickle' not in str(error):
        return str(error)
    return (
        'it holds Python objects, such as maps of different sizes, or is no NumPy file; store one '
        'array of numbers, maps as (N, h, w), or a file per image'
    )


def read_npy(path: str | os.PathLike, mend: str, key: str | None = None) -> np.ndarray:
    """The array of a .npy file, or the one of a .npz file under `key`, without pickles. OSError
    where the file is missing, empty, truncated or damaged; it ends with `mend`."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {mend}') from None
    try:
        stored = np.load(io.BytesIO(data), allow_pickle=False)
        return stored if key is None else stored[key]
    except _BROKEN as error:
        raise OSError(f'{path} cannot be read ({numpy_problem(error)}); {mend}') from None


def read_mat(path: str | os.PathLike, name: str) -> np.ndarray:
    """The real numeric array `name` of a MATLAB file. OSError where the file is missing, empty or
    broken, ValueError where it is not of level 5 to 7 or has no such array."""
    data = read_bytes(path)
    if data[126:128] not in (b'IM', b'MI'):
        raise ValueError(f'{path} is no MATLAB file of level 5 to 7; download it again')
    try:
        found = {key: kind for key, _, kind in scipy.io.whosmat(io.BytesIO(data))}
        stored = scipy.io.loadmat(io.BytesIO(data), variable_names=[name])
    except (*_BROKEN_MAT, scipy.io.matlab.MatReadError) as error:
        mend = 'download it again, or leave it out of the split'
        raise OSError(f'{path} is truncated or damaged ({error}); {mend}') from None
    arrays = [key for key, kind in found.items() if kind in _MATLAB_NUMBERS]
    if name not in arrays:
        raise ValueError(f'{path} has no numeric array {name!r}, only {arrays}; download it again')
    return stored[name]


def parse_numbers(text: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Finite float64 numbers of a text, in a shape; `what` names it in the ValueError."""
    return finite_array(text.split(), (math.prod(shape),), what).reshape(shape)


def finite_array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A float64 array of just that shape, all finite; `what` names file and key in the
    ValueError."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape or not np.isfinite(array).all():
        came = 'nothing' if value is None else repr(np.asarray(value, object).tolist())
        expected = f'{" x ".join(map(str, shape))} finite numbers' if shape else 'a finite number'
        raise ValueError(f'{what}: expected {expected}, got {came}; restore the official file')
    return array


def camera_matrix(values: Any, what: str) -> np.ndarray:
    """K (3, 3) float64 of a pinhole camera, of nine numbers (3, 3) or a list of fx, fy, cx, cy.
    ValueError (`what` names file and key) where one is missing or not finite, a focal length is not
    positive, or the last row is not 0, 0, 1."""
    if isinstance(values, list) and not any(isinstance(value, list) for value in values):
        fx, fy, cx, cy = finite_array(values, (4,), f'{what}: fx, fy, cx, cy')
        values = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    K = finite_array(values, (3, 3), what)
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        expected = 'focal lengths above 0, last row 0 0 1; restore the official file'
        raise ValueError(f'{what} holds no camera matrix: {K.tolist()}; expected {expected}')
    return K


def disparity_to_depth(disparity: np.ndarray, focal_baseline: float) -> np.ndarray:
    """Depth (H, W) float32 metres, 0 = no measurement, of a disparity (H, W) in pixels, not above 0
    = none: (focal length in pixels x baseline in metres) / disparity."""
    depth = np.zeros(disparity.shape, np.float32)
    return np.divide(focal_baseline, disparity, out=depth, where=disparity > 0)


def read_depth_npy(path: str | os.PathLike) -> np.ndarray:
    """Depth (H, W) float32 metres, 0 = no measurement, of a NumPy file of an evaluation code.
    OSError where it is missing or damaged, ValueError where it is no single map of finite
    numbers."""
    depth = read_npy(path, 'copy or export it again')
    depth = depth.squeeze() if depth.ndim == 3 else depth
    if depth.ndim != 2 or depth.dtype.kind not in 'fiu' or not np.isfinite(depth).all():
        raise ValueError(
            f'depth file {path} must hold one map (H, W) of finite numbers, 0 = none, got '
            f'{depth.dtype} of shape {depth.shape}; export it again'
        )
    return depth.astype(np.float32)
