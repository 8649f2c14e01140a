"""What the readers of several data sets share: presence of files, json, matrices, ground truth."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .images import read_bytes


class FileIndex:
    """Which files exist, from one listing per folder."""

    def __init__(self) -> None:
        self._folders: dict[str, frozenset[str] | None] = {}

    def names(self, folder: str) -> frozenset[str] | None:
        """Names in a folder; None where there is no such folder."""
        if folder not in self._folders:
            try:
                self._folders[folder] = frozenset(os.listdir(folder))
            except (FileNotFoundError, NotADirectoryError):
                self._folders[folder] = None
        return self._folders[folder]

    def problem(self, path: str) -> str | None:
        """None where the file exists, else what is missing."""
        folder, name = os.path.split(path)
        names = self.names(folder)
        if names is None:
            return f'folder {folder} does not exist'
        return None if name in names else f'no {name} in {folder}'

    def first_problem(self, paths: Sequence[str]) -> str | None:
        """The first thing that is missing of several files."""
        return next(filter(None, map(self.problem, paths)), None)


def refuse_gt(kwargs: dict, reason: str) -> None:
    """Switch `with_gt` off in the arguments of a data set that has no ground truth.

    Raises:
        ValueError: it was asked for.
    """
    if kwargs.get('with_gt'):
        raise ValueError(f'with_gt=True, but {reason}; remove it')
    kwargs['with_gt'] = False


def choose(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """The value, where it is one of the allowed ones.

    Raises:
        ValueError: names both.
    """
    if value not in allowed:
        raise ValueError(f'{name} must be one of {list(allowed)}, got {value!r}')
    return value


def choose_all(name: str, values: Sequence[str] | None, allowed: Sequence[str]) -> tuple[str, ...]:
    """The values, where each is allowed; all that are allowed for None.

    Raises:
        ValueError: names both.
    """
    if values is None:
        return tuple(allowed)
    if isinstance(values, str) or not values or set(values) - set(allowed):
        raise ValueError(f'{name} must be a list out of {list(allowed)} or None, got {values!r}')
    return tuple(values)


def read_json(path: str | os.PathLike, mend: str) -> Any:
    """Content of a json file.

    Args:
        path: of the file.
        mend: what to do where it is missing or broken.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty or not json; names file and line.
    """
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{path} does not exist; {mend}') from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is no readable json ({error}); {mend}') from None


def finite_array(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A float64 array of a shape, all finite.

    Args:
        value: anything numpy takes.
        shape: expected.
        what: names file and key in the error.

    Raises:
        ValueError: what came and what was expected.
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape or not np.isfinite(array).all():
        came = 'nothing' if value is None else repr(np.asarray(value, object).tolist())
        expected = f'{" x ".join(map(str, shape))} finite numbers' if shape else 'a finite number'
        raise ValueError(f'{what}: expected {expected}, got {came}; restore the official file')
    return array


def camera_matrix(fx: Any, fy: Any, cx: Any, cy: Any, what: str) -> np.ndarray:
    """K (3, 3) float64 of four numbers, finite and with positive focal lengths.

    Raises:
        ValueError: names file (`what`) and values.
    """
    fx, fy, cx, cy = finite_array([fx, fy, cx, cy], (4,), f'{what}: fx, fy, cx, cy')
    if fx <= 0 or fy <= 0:
        raise ValueError(
            f'{what}: focal lengths must be positive, got {fx:g} and {fy:g}; restore the official '
            'file'
        )
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])


def projection_matrix(values: Mapping[str, np.ndarray], key: str, path: Any) -> np.ndarray:
    """P = K [I | t] (3, 4) float64 of a calibration file in KITTI's format.

    Args:
        values: of `read_calibration_file`.
        key: such as `P2` or `P_rect_101`.
        path: named in errors.

    Raises:
        ValueError: the key is missing, or holds other than 12 finite numbers of a camera.
    """
    P = finite_array(values.get(key), (12,), f'{path}: {key}').reshape(3, 4)
    camera_matrix(P[0, 0], P[1, 1], P[0, 2], P[1, 2], f'{path}: {key}')
    if P[2, :3].tolist() != [0, 0, 1]:
        raise ValueError(
            f'{path}: {key} is no projection matrix of a rectified camera, its last row is '
            f'{P[2].tolist()}; restore the official file'
        )
    return P


def stereo_from_projections(P_target: np.ndarray, P_source: np.ndarray, what: str) -> np.ndarray:
    """T_source_target (4, 4) float64 metres of two rectified cameras with one K.

    With P_i = K [I | t_i], a point of the common frame is x_i = x + t_i in camera i.

    Raises:
        ValueError: the cameras have different K.
    """
    K = P_target[:, :3]
    if not np.allclose(K, P_source[:, :3], rtol=1e-6):
        raise ValueError(
            f'{what}: the two cameras have different camera matrices, but a stereo sample has one '
            'K; restore the official file or use mono frame_ids'
        )
    T = np.eye(4)
    T[:3, 3] = np.linalg.solve(K, P_source[:, 3] - P_target[:, 3])
    return T


def disparity_to_depth(disparity: np.ndarray, focal_baseline: float) -> np.ndarray:
    """depth = focal length x baseline / disparity.

    Args:
        disparity: (H, W) float pixels; 0 and below: no measurement.
        focal_baseline: pixels times metres.

    Returns:
        (H, W) float32 metres, 0 where there is no measurement.
    """
    known = disparity > 0
    depth = np.zeros(disparity.shape, np.float32)
    depth[known] = focal_baseline / disparity[known]
    return depth


def read_depth_npy(path: str | os.PathLike) -> np.ndarray:
    """Depth that an evaluation code stored as a numpy array.

    Returns:
        (H, W) float32 metres, 0 where there is no measurement.

    Raises:
        OSError: the file is missing, empty or truncated.
        ValueError: it holds something else than one map of finite numbers.
    """
    read_bytes(path)
    try:
        depth = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise OSError(
            f'depth file {path} cannot be read ({error}); copy or export it again'
        ) from None
    depth = depth.squeeze() if depth.ndim == 3 else depth
    if depth.ndim != 2 or depth.dtype.kind not in 'fiu' or not np.isfinite(depth).all():
        raise ValueError(
            f'depth file {path} must hold one map (H, W) of finite numbers, got {depth.dtype} of '
            f'shape {depth.shape}; export it again with 0 where nothing was measured'
        )
    return depth.astype(np.float32)
