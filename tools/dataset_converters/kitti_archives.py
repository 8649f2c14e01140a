"""Unpacking of KITTI raw's zip archives, and a check of the tree that comes out."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mmscd.datasets.formats.images import image_size
from mmscd.datasets.formats.kitti_calibration import KITTICalibration

PARTS = ('image_00', 'image_01', 'image_02', 'image_03', 'velodyne_points', 'oxts', 'proj_depth')
DEFAULT_PARTS = ('image_02', 'image_03', 'velodyne_points', 'oxts', 'proj_depth')
_CALIBRATION = re.compile(r'\d{4}_\d\d_\d\d/calib_\w+\.txt')
_DRIVE = r'\d{4}_\d\d_\d\d_drive_\d{4}_(?:sync|extract)'
# raw archives, and those of the depth benchmark (train/<drive>/proj_depth/...)
_MEMBER = re.compile(rf'(?:\d{{4}}_\d\d_\d\d|train|val)/{_DRIVE}/(\w+)/[\w./-]*\w')


class Progress:
    """Lines that say how far the work is, at most one every few seconds.

    Args:
        total: units of work.
        unit: of the numbers, such as `images`.
        factor: units are divided by it for printing.
        interval: seconds between lines.
    """

    def __init__(self, total: float, unit: str, factor: float = 1, interval: float = 5.0) -> None:
        self.total, self.unit, self.factor, self.interval = total, unit, factor, interval
        self.done = self.skipped = 0.0
        self.begin = self.last = time.monotonic()

    def step(self, amount: float, skipped: bool = False) -> None:
        """Count work; what was there already does not enter the estimate."""
        self.done += amount
        self.skipped += amount * skipped
        now = time.monotonic()
        if now - self.last >= self.interval or self.done >= self.total:
            self.last = now
            print(self.describe(now - self.begin), flush=True)

    def describe(self, seconds: float) -> str:
        """One line."""
        worked = self.done - self.skipped
        text = f'{self.done / self.factor:.4g}/{self.total / self.factor:.4g} {self.unit}'
        if self.done >= self.total:
            return f'{text}, {seconds:.1f} s'
        if worked <= 0:
            return text
        left = seconds / worked * (self.total - self.done)
        return f'{text}, {left / 60:.1f} min left'


@dataclass(frozen=True)
class Job:
    """A file to unpack: `member` of the zip file `archive`, to `target`."""

    archive: Path
    member: zipfile.ZipInfo
    target: Path


def find_archives(paths: Sequence[Path]) -> list[Path]:
    """Zip files among paths and in folders.

    Raises:
        FileNotFoundError: a path does not exist, or a folder has no zip file.
    """
    found = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist')
        inside = sorted(path.glob('*.zip')) if path.is_dir() else [path]
        if not inside:
            raise FileNotFoundError(f'{path} has no .zip file; download the archives of KITTI raw')
        found += inside
    return found


def list_jobs(
    archives: Sequence[Path], out: Path, parts: Sequence[str], jpeg: int | None
) -> list[Job]:
    """What is to be unpacked; every archive's index is read before anything is written.

    Args:
        archives: zip files.
        out: root of the tree.
        parts: out of `PARTS`; calibration is always taken.
        jpeg: images of the cameras become .jpg.

    Raises:
        ValueError: an archive is broken, holds unsafe paths, or nothing of KITTI raw.
    """
    jobs = []
    for archive in archives:
        try:
            with zipfile.ZipFile(archive) as content:
                members = [info for info in content.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(
                f'archive {archive} ({archive.stat().st_size} bytes) cannot be read: {error}; it '
                'is truncated or no zip file: download it again'
            ) from None
        known = 0
        for info in members:
            part = _part_of(archive, info.filename)
            known += part is not None
            if part in ('calibration', *parts):
                jobs.append(Job(archive, info, _target(out, info.filename, jpeg)))
        if not known:
            raise ValueError(
                f'archive {archive} holds nothing of KITTI raw (first of {len(members)} files: '
                f'{members[0].filename if members else "none"}); expected paths such as '
                '2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png'
            )
    return jobs


def _part_of(archive: Path, name: str) -> str | None:
    if name.startswith('/') or '..' in Path(name).parts or '\\' in name:
        raise ValueError(f'archive {archive} holds the unsafe path {name!r}: it is not official')
    if _CALIBRATION.fullmatch(name):
        return 'calibration'
    match = _MEMBER.fullmatch(name)
    return match.group(1) if match and match.group(1) in PARTS else None


def _target(out: Path, name: str, jpeg: int | None) -> Path:
    target = out / name
    is_image = '/image_0' in name and '/proj_depth/' not in name and target.suffix == '.png'
    return target.with_suffix('.jpg') if jpeg and is_image else target


def is_done(job: Job) -> bool:
    """True where the file is there: files appear whole, by a rename."""
    try:
        size = job.target.stat().st_size
    except OSError:
        return False
    converted = job.target.suffix != Path(job.member.filename).suffix
    return size > 0 if converted else size == job.member.file_size


def unpack(jobs: Sequence[Job], jpeg: int | None, interval: float = 5.0) -> int:
    """Unpack what is missing, archive by archive; returns the number of files written.

    Raises:
        ValueError: a file in an archive is damaged.
        OSError: the disk is full or cannot be written to.
    """
    progress = Progress(sum(job.member.file_size for job in jobs), 'GB', 1e9, interval)
    missing = []
    for job in jobs:
        if is_done(job):
            progress.step(job.member.file_size, skipped=True)
        else:
            missing.append(job)
    _check_space(missing, jpeg)
    for archive in dict.fromkeys(job.archive for job in missing):
        with zipfile.ZipFile(archive) as content:
            for job in missing:
                if job.archive == archive:
                    _unpack_one(content, job, jpeg)
                    progress.step(job.member.file_size)
    return len(missing)


def _check_space(missing: Sequence[Job], jpeg: int | None) -> None:
    if not missing or jpeg:
        return
    folder = missing[0].target
    while not folder.exists():
        folder = folder.parent
    needed = sum(job.member.file_size for job in missing)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f'{needed / 1e9:.1f} GB are missing, but only {free / 1e9:.1f} GB are free at {folder}'
        )


def _unpack_one(content: zipfile.ZipFile, job: Job, jpeg: int | None) -> None:
    try:
        data = content.read(job.member)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(
            f'{job.member.filename} in {job.archive} is damaged ({error}): download the archive '
            'again; what is unpacked already is kept'
        ) from None
    if job.target.suffix == '.jpg':
        data = to_jpeg(data, jpeg, job.member.filename)
    write_renamed(job.target, data)


def to_jpeg(data: bytes, quality: int, name: str) -> bytes:
    """Encode an image file anew as JPEG (4:2:0)."""
    image_size(data, name)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f'{name} cannot be decoded: download its archive again')
    return cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def write_renamed(target: Path, data: bytes) -> None:
    """Write under a temporary name and rename; unlike `atomic_write` it does not wait for the disk,
    which would make many small files slow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix='.part_')
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_tree(root: Path) -> tuple[list[list[str]], list[str]]:
    """Count the files of every drive and read every calibration.

    Returns:
        a row for each drive (date, drive, number of left and right images, of scans); a sentence
        for each problem.
    """
    rows, problems = [], []
    drives = sorted(p for p in root.glob('*/*') if p.is_dir() and re.fullmatch(_DRIVE, p.name))
    drives = [drive for drive in drives if drive.parent.name not in ('train', 'val')]
    if not drives:
        problems.append(f'{root} has no drive <date>/<drive>: is it the root of KITTI raw?')
    for date in sorted({drive.parent for drive in drives}):
        problems += _check_calibration(date)
    for drive in drives:
        found = {}
        for part in ('image_02', 'image_03', 'velodyne_points'):
            found[part], empty = _scan(drive / part / 'data')
            problems += [f'{path} is empty; delete it and unpack again' for path in empty]
        counts = [len(found[part]) for part in found]
        rows.append([drive.parent.name, drive.name, *map(str, counts)])
        problems += _compare(drive, found)
    return rows, problems


def _check_calibration(date: Path) -> Iterator[str]:
    try:
        calibration = KITTICalibration(date)
        for side in ('l', 'r'):
            calibration.intrinsics(side)
            calibration.size(side)
            calibration.velodyne_to_image(side)
    except (OSError, ValueError) as error:
        yield str(error)


def _scan(folder: Path) -> tuple[set[str], list[str]]:
    """Frame names in a folder, and the paths of empty files."""
    if not folder.is_dir():
        return set(), []
    with os.scandir(folder) as entries:
        files = [e for e in entries if e.is_file() and not e.name.startswith('.')]
        empty = sorted(e.path for e in files if e.stat().st_size == 0)
    return {Path(entry.name).stem for entry in files}, empty


def _compare(drive: Path, found: dict[str, set[str]]) -> Iterator[str]:
    images = found['image_02'] | found['image_03']
    if not images:
        yield f'{drive} has no colour images; unpack its _sync archive'
        return
    frames = sorted(int(name) for name in images)
    gap = sorted(set(range(frames[0], frames[-1] + 1)) - set(frames))
    if gap:
        yield f'{drive} lacks {len(gap)} frames between its first and last one (first: {gap[0]})'
    for part, names in found.items():
        lacking = sorted(images - names)
        if names and lacking:
            yield (
                f'{drive}/{part} lacks {len(lacking)} of {len(images)} frames (first: {lacking[0]})'
            )
