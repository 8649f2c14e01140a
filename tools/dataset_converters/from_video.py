"""Turn videos of one camera into training data: frames, intrinsics and a config, and check them.

Examples::

    python tools/dataset_converters/from_video.py drive.mp4 --hfov 81 --out data/my_streets
    python tools/dataset_converters/from_video.py monday.mp4 tuesday.mp4 --opencv camera.yaml \
        --crop 0 0 1920 980 --out data/my_streets
    python tools/dataset_converters/from_video.py folder_of_frames --intrinsics camera.yaml \
        --out data/my_streets --stride 2

A frame is kept once the view has moved by --motion since the last kept one; --stride takes every
n-th frame instead, but none while the camera stands. A cut starts a new sequence. With a
calibration that knows distortion the frames are undistorted. Leaves in OUT:

    frames/<video>/part_000/0000000012.jpg    numbered as in the video
    intrinsics.yaml                           of these frames
    monodepth2_r18.py                         a config that trains on them

A finished video is left alone when the command is given again; an interrupted one starts anew.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from from_video_output import Camera, open_camera, write_config, write_intrinsics
from mmengine.utils import ProgressBar, scandir

from mmscd.datasets.folder import natural_key
from mmscd.datasets.formats.images import IMAGE_EXTENSIONS
from mmscd.datasets.formats.videos import VIDEO_EXTENSIONS
from mmscd.utils.files import write_json
from mmscd.video.lint import STATIC, lint_video
from mmscd.video.motion import FrameSelector

MANIFEST = 'manifest.json'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('videos', nargs='+', type=Path, help='video files, or folders of frames')
    parser.add_argument('--out', type=Path, required=True, help='folder of the new data set')
    camera = parser.add_argument_group('camera (one of)').add_mutually_exclusive_group(
        required=True
    )
    camera.add_argument('--intrinsics', type=Path, help='yaml: fx, fy, cx, cy, width, height')
    camera.add_argument('--hfov', type=float, help='horizontal field of view, degrees')
    camera.add_argument('--colmap', type=Path, help='cameras.txt of COLMAP')
    camera.add_argument('--opencv', type=Path, help="yaml of OpenCV's or ROS's calibration")
    parser.add_argument('--camera-id', type=int, help='which camera of cameras.txt')
    parser.add_argument(
        '--scale-intrinsics', action='store_true', help='the calibration is of another size: scale'
    )
    parser.add_argument('--motion', type=float, default=0.6, help='percent of the width')
    parser.add_argument('--stride', type=int, help='every n-th frame, instead of --motion')
    parser.add_argument(
        '--crop', type=int, nargs=4, metavar=('LEFT', 'TOP', 'RIGHT', 'BOTTOM'),
        help='pixels of the video that are kept',
    )  # fmt: skip
    parser.add_argument('--max-width', type=int, default=1280, help='wider frames are shrunk')
    parser.add_argument('--quality', type=int, default=95, help='of the JPEGs')
    parser.add_argument('--no-lint', action='store_true', help='do not check what came out')
    args = parser.parse_args(argv)
    if not 0 <= args.motion < 100 or (args.stride is not None and args.stride < 1):
        parser.error('--motion must lie in [0, 100), --stride must be at least 1')
    if args.max_width < 32 or not 1 <= args.quality <= 100:
        parser.error('--max-width must be at least 32, --quality lie in 1..100')
    return args


class Frames:
    """Frames of a video file or of a folder, (H, W, 3) uint8 BGR, in order.

    Raises:
        FileNotFoundError, OSError: there is no such file, or nothing in it that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.capture, self.files = path, None, []
        if path.is_dir():
            names = scandir(str(path), IMAGE_EXTENSIONS, case_sensitive=False)
            self.files = [path / name for name in sorted(names, key=natural_key)]
            self.count = len(self.files)
            if not self.files:
                raise OSError(f'{path} has no frames ({", ".join(IMAGE_EXTENSIONS)})')
        elif not path.is_file():
            raise FileNotFoundError(f'there is no video {path}')
        else:
            self.capture = cv2.VideoCapture(str(path))
            self.count = max(0, int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)))

    def __iter__(self):
        """Decode one frame after the other."""
        for file in self.files:
            image = cv2.imread(str(file), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
            if image is None:
                raise OSError(f'{file} cannot be decoded; remove it')
            yield image
        while self.capture is not None:
            done, image = self.capture.read()
            if not done:
                break
            yield image


def extract(video: Path, folder: Path, args: argparse.Namespace, camera: Camera) -> dict:
    """Write the chosen frames of a video, whole or not at all.

    Returns:
        what the manifest says: frames read and kept, sequences.

    Raises:
        OSError: the video has no frames, or the disk is full.
    """
    frames = Frames(video)
    if folder.exists():
        shutil.rmtree(folder)  # without a manifest: a rest
    folder.parent.mkdir(parents=True, exist_ok=True)
    for rest in folder.parent.glob(f'.{folder.name}_*'):
        shutil.rmtree(rest)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f'.{folder.name}_'))
    try:
        summary = _write_frames(frames, temporary, args, camera)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if 0 < summary['read'] < 0.98 * frames.count:
        print(
            f'warning: {video} announces {frames.count} frames, {summary["read"]} could be '
            'decoded: is it truncated?', file=sys.stderr,
        )  # fmt: skip
    return summary


def _write_frames(
    frames: Frames, folder: Path, args: argparse.Namespace, camera: Camera
) -> dict[str, int]:
    selector = FrameSelector(STATIC if args.stride else args.motion / 100)
    progress = ProgressBar(frames.count) if frames.count else None
    number, kept, parts = -1, 0, set()
    for number, image in enumerate(frames):
        if progress:
            progress.update()
        if number % (args.stride or 1):
            continue
        part = selector(image)
        if part is None:
            continue
        path = folder / f'part_{part:03d}' / f'{number:010d}.jpg'
        path.parent.mkdir(exist_ok=True)
        picture = camera.picture(image, frames.path)
        if not cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, args.quality]):
            raise OSError(f'cannot write {path}; is the disk full?')
        kept += 1
        parts.add(part)
    print()
    if number < 0:
        raise OSError(
            f'video {frames.path} cannot be decoded: it is broken or of a kind that this build of '
            f'OpenCV does not read ({", ".join(VIDEO_EXTENSIONS)} usually work)'
        )
    return dict(read=number + 1, kept=kept, sequences=len(parts))


def prepare(video: Path, args: argparse.Namespace) -> Camera:
    """Extract one video unless that was done before; returns its camera.

    Raises:
        FileExistsError: the folder holds frames that were made otherwise.
    """
    first = next(iter(Frames(video)), None)
    if first is None:
        raise OSError(f'video {video} cannot be decoded')
    camera = open_camera(args, (first.shape[1], first.shape[0]))
    name = video.resolve().stem if video.is_file() else video.resolve().name
    folder, manifest = args.out / 'frames' / name, args.out / f'{name}.json'
    recipe = dict(
        video=str(video.resolve()), motion=args.motion, stride=args.stride, crop=args.crop,
        K=np.round(camera.K, 6).tolist(), size=list(camera.size), quality=args.quality,
    )  # fmt: skip
    if manifest.is_file() and folder.is_dir():
        known = json.loads(manifest.read_text(encoding='utf-8'))
        if known['recipe'] != recipe:
            raise FileExistsError(
                f'{folder} was made with other options or from another video ({manifest}): choose '
                f'another --out, or delete {folder} and {manifest}'
            )
        print(f'{video}: already complete ({known["kept"]} frames)')
        return camera
    summary = extract(video, folder, args, camera)
    write_json(manifest, dict(summary, recipe=recipe))
    print(
        f'{video}: kept {summary["kept"]} of {summary["read"]} frames in {summary["sequences"]} '
        f'sequence(s), {camera.size[0]}x{camera.size[1]}'
    )
    return camera


def report(out: Path, K: np.ndarray, size: tuple[int, int]) -> int:
    """Print what is wrong with the frames; returns the number of serious findings."""
    folders = sorted({path.parent for path in (out / 'frames').glob('*/*/*.jpg')})
    sequences = [sorted(folder.glob('*.jpg')) for folder in folders]
    findings = lint_video(sequences, K, size)
    for finding in findings:
        print(f'{"WARNING" if finding.serious else "note"} ({finding.code}): {finding.message}')
    return sum(finding.serious for finding in findings)


def main(argv: list[str] | None = None) -> None:
    """Extract, describe, check."""
    args = parse_args(argv)
    try:
        cameras = [prepare(video, args) for video in args.videos]
        for video, camera in zip(args.videos, cameras, strict=True):
            if camera.size != cameras[0].size or not np.allclose(camera.K, cameras[0].K):
                raise ValueError(
                    f'{video} gives frames of {camera.size}, {args.videos[0]} of '
                    f'{cameras[0].size}: one --out per camera and size'
                )
        K, size = cameras[0].K, cameras[0].size
        write_intrinsics(args.out / 'intrinsics.yaml', K, size)
        config = write_config(args.out, size)
        if not args.no_lint and not report(args.out, K, size):
            print('nothing serious found')
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        raise SystemExit('interrupted: finished videos stay; give the command again') from None
    print(f'train: python tools/train.py {config}')


if __name__ == '__main__':
    main()
