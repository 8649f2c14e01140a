"""Unpacking of KITTI raw's zip archives."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mmscd.datasets.formats.images import decode_rgb, write_rgb
from mmscd.utils.files import atomic_write
from mmscd.utils.progress import track

PARTS = ('image_00', 'image_01', 'image_02', 'image_03', 'velodyne_points', 'oxts', 'proj_depth')
DEFAULT_PARTS = ('image_02', 'image_03', 'velodyne_points', 'oxts', 'proj_depth')
_CALIBRATION = re.compile(r'\d{4}_\d\d_\d\d/calib_\w+\.txt')
_DRIVE = r'\d{4}_\d\d_\d\d_drive_\d{4}_(?:sync|extract)'
# raw archives, and those of the depth benchmark (train/<drive>/proj_depth/...)
_MEMBER = re.compile(rf'(?:\d{{4}}_\d\d_\d\d|train|val)/{_DRIVE}/(\w+)/[\w./-]*\w')

# what zipfile raises for damaged archives, beside its own error
_BROKEN = (
    *(zipfile.BadZipFile, OSError, EOFError, ValueError, LookupError, RuntimeError),
    *(ArithmeticError, zlib.error, lzma.LZMAError, struct.error),
)
# bytes; no file of KITTI raw has as many
_LARGEST = 1 << 26


@dataclass(frozen=True)
class Job:
    """A file to unpack: `member` of the zip file `archive`, to `target`."""

    archive: Path
    member: zipfile.ZipInfo
    target: Path

    def is_done(self) -> bool:
        """True where the file is there: files appear whole, by a rename."""
        size = self.target.stat().st_size if self.target.is_file() else -1
        converted = self.target.suffix != Path(self.member.filename).suffix
        return size > 0 if converted else size == self.member.file_size


def unpack(
    paths: Sequence[Path], out: Path, parts: Sequence[str] = DEFAULT_PARTS, jpeg: int | None = None
) -> tuple[int, int]:
    """Unpack what is missing, archive by archive; returns the numbers of files written and of those
    that were there. `paths` are zip files and folders with zip files, `out` is the root of the
    tree, `parts` are out of `PARTS` (calibration is always taken). With `jpeg` images of the
    cameras become .jpg of that quality.

    ValueError where an archive is damaged, holds unsafe paths or nothing of KITTI raw; OSError
    where one is missing, or the disk is full or cannot be written to.
    """
    # every archive's index is read before anything is written
    archives = _find_archives(paths)
    jobs = [job for path in archives for job in _list_jobs(path, out, parts, bool(jpeg))]
    missing = [job for job in jobs if not job.is_done()]
    if missing and not jpeg:
        needed = sum(job.member.file_size for job in missing)
        folder = next(path for path in (out, *out.absolute().parents) if path.exists())
        if needed > (free := shutil.disk_usage(folder).free):
            raise OSError(
                f'{needed / 1e9:.1f} GB are missing, {folder} has {free / 1e9:.1f} GB free'
            )
    progress = track(missing, len(missing), 'files')
    for archive, group in groupby(progress, lambda job: job.archive):
        with zipfile.ZipFile(archive) as content:
            for job in group:
                _unpack_one(content, job, jpeg)
    return len(missing), len(jobs) - len(missing)


def _find_archives(paths: Sequence[Path]) -> list[Path]:
    """Zip files among paths and in folders; FileNotFoundError where there is none."""
    found = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f'{path} does not exist')
        inside = sorted(path.glob('[!.]*.zip')) if path.is_dir() else [path]
        if not inside:
            raise FileNotFoundError(f'{path} has no .zip file; download the archives of KITTI raw')
        found += inside
    return found


def _list_jobs(archive: Path, out: Path, parts: Sequence[str], jpeg: bool) -> list[Job]:
    """What is to be unpacked of an archive; see `unpack`."""
    try:
        with zipfile.ZipFile(archive) as content:
            members = [info for info in content.infolist() if not info.is_dir()]
    except _BROKEN as error:
        what = f'archive {archive} ({archive.stat().st_size} bytes)'
        raise ValueError(f'{what} cannot be read ({error}): download it again') from None
    found: dict[str, str | None] = {}
    for info in members:
        if problem := _refused(info, found):
            raise ValueError(f'archive {archive}: {info.filename!r} {problem}: it is not official')
        found[info.filename] = _part_of(info.filename)
    if not any(found.values()):
        raise ValueError(
            f'archive {archive} holds nothing of KITTI raw, but {list(found)[:1]}; expected paths '
            'such as 2011_09_26/2011_09_26_drive_0001_sync/image_02/data/0000000000.png'
        )
    wanted = [info for info in members if found[info.filename] in ('calibration', *parts)]
    return [Job(archive, info, _target(out, info.filename, jpeg)) for info in wanted]


def _refused(info: zipfile.ZipInfo, others: Container[str]) -> str | None:
    """Why a member is not unpacked, nor any other of its archive."""
    name = info.filename
    if name.startswith('/') or '..' in Path(name).parts or '\\' in name:
        return 'is an unsafe path'
    if stat.S_ISLNK(info.external_attr >> 16):
        return 'is a link'
    if info.flag_bits & 1:
        return 'is encrypted'
    if info.file_size > _LARGEST:
        return f'claims {info.file_size / 1e6:.0f} MB'
    return 'is there twice' if name in others else None


def _part_of(name: str) -> str | None:
    if _CALIBRATION.fullmatch(name):
        return 'calibration'
    match = _MEMBER.fullmatch(name)
    return match.group(1) if match and match.group(1) in PARTS else None


def _target(out: Path, name: str, jpeg: bool) -> Path:
    target = out / name
    is_image = '/image_0' in name and '/proj_depth/' not in name and target.suffix == '.png'
    return target.with_suffix('.jpg') if jpeg and is_image else target


def _unpack_one(content: zipfile.ZipFile, job: Job, jpeg: int | None) -> None:
    try:
        data = content.read(job.member)
    except _BROKEN as error:
        what = f'{job.member.filename} in {job.archive} is damaged ({error})'
        raise ValueError(f'{what}: download the archive again; what is there is kept') from None
    if jpeg and job.target.suffix == '.jpg':
        image = decode_rgb(data, f'{job.member.filename} in {job.archive}')[0]
        write_rgb(job.target, image, jpeg)
    else:
        atomic_write(job.target, data, sync=False)
