"""Depth of images with an exported file: needs numpy, opencv-python and onnxruntime, no PyTorch.

Example: python tools/deployment/onnx_demo.py depth.onnx street.jpg frames/ --out depth --npy

This one file is all that is needed beside the model; copy it where you like. It writes for every
image NAME_depth.png (image above, depth below; near is bright) and with --npy NAME_depth.npy:
float32 depth at the image's size, in metres where the model was trained on stereo pairs, otherwise
up to one factor per model. Where several images are called NAME, NAME_2, ... are the further ones.
"""

import argparse
import io
import os
import sys
import time
from pathlib import Path

os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', '128000000')  # cv2 reads it when imported
import cv2  # noqa: E402
import numpy as np  # noqa: E402

EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp')
# providers are tried in this order; the CPU's is always there
PROVIDERS = dict(
    tensorrt='TensorrtExecutionProvider', cuda='CUDAExecutionProvider', cpu='CPUExecutionProvider'
)


class DepthModel:
    """An exported network; a device that onnxruntime lacks is passed over with a word."""

    def __init__(self, path, device='cpu'):
        import onnxruntime

        there = onnxruntime.get_available_providers()
        wanted = list(PROVIDERS.values())[list(PROVIDERS).index(device) :]
        providers = [name for name in wanted if name in there]
        if wanted[0] not in there:
            print(f'onnxruntime has no {wanted[0]} here, using {providers[0]}')
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=providers)
        except Exception as error:  # onnxruntime's errors share no other base
            raise ValueError(f'{path} cannot be loaded by onnxruntime: {error}') from error
        try:
            meta = self.session.get_modelmeta().custom_metadata_map
            self.input = self.session.get_inputs()[0]
            if meta['framework'] != 'mmscd':
                raise ValueError('of another origin')
            self.size = int(meta['width']), int(meta['height'])
            self.scale = float(meta.get('depth_scale', 1))
        except (KeyError, ValueError) as error:  # spoilt names are no text: UnicodeDecodeError
            raise ValueError(
                f'{path} was not made by tools/deployment/export_onnx.py, or is damaged ({error})'
            ) from error

    def __call__(self, image):
        """Depth, float32 (H, W), of an image, uint8 BGR (H, W, 3) as cv2 reads it."""
        small = resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), self.size)
        tensor = small.transpose(2, 0, 1)[None].astype(np.float32) / 255
        batch = self.input.shape[0]
        tensor = np.repeat(tensor, batch if isinstance(batch, int) else 1, 0)
        inverse = self.session.run(None, {self.input.name: tensor})[0][0, 0]
        # inverse depth is what may be averaged over neighbours
        return self.scale / cv2.resize(inverse, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def resize(image, size):
    """Resize an image, uint8 (H, W, 3), to (width, height) as in training: without aliasing."""
    height, width = image.shape[:2]
    smaller = min(size[0], width), min(size[1], height)
    whole = (smaller[0] * -(-width // smaller[0]), smaller[1] * -(-height // smaller[1]))
    if whole != (width, height):
        image = cv2.resize(image, whole, interpolation=cv2.INTER_CUBIC)
    image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    return image if smaller == size else cv2.resize(image, size)


def colorize(depth):
    """Near bright, far dark: uint8 BGR (H, W, 3) of a depth map."""
    inverse = 1 / depth
    low, high = np.percentile(inverse, (2, 97))
    share = np.clip((inverse - low) / max(high - low, 1e-12), 0, 1) ** 0.7
    return cv2.applyColorMap((share * 255).round().astype(np.uint8), cv2.COLORMAP_MAGMA)


def list_images(path):
    """A file, or the images in a folder, without what macOS puts beside them (`._street.jpg`)."""
    if not path.is_dir():
        return [path]
    return sorted(f for f in path.glob('[!.]*') if f.suffix.lower() in EXTENSIONS)


def unique_names(files):
    """Names without suffix, so that no result overwrites another one: NAME, NAME_2, ..."""
    names = {}
    for path in files:
        number, name = 1, path.stem
        while name in names:
            number += 1
            name = f'{path.stem}_{number}'
        names[name] = path
    return list(names)


def predict_file(model, path, out, name, npy):
    """Read, predict, write; returns a line about it, raises ValueError for what is no image."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
        image = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # of a header that promises more than MAX_PIXELS
        image = None
    if image is None:
        raise ValueError(f'{path} is no image, or a broken one, or has over 128000000 pixels')
    if image.ndim != 3 or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f'{path} has values of {image.dtype}: store colours of 8 or 16 bits')
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    start = time.perf_counter()
    depth = model(image)
    seconds = time.perf_counter() - start
    if not np.isfinite(depth).all():
        raise ValueError(f'{path}: the model gives depth that is not finite')
    picture = cv2.imencode('.png', np.concatenate([image, colorize(depth)]))[1]
    write(out / f'{name}_depth.png', picture.tobytes())
    if npy:
        stream = io.BytesIO()
        np.save(stream, depth)
        write(out / f'{name}_depth.npy', stream.getvalue())
    low, middle, high = np.percentile(depth, (2, 50, 98))
    return f'{path.name}: {seconds * 1000:.0f} ms, depth {low:.3g} | {middle:.3g} | {high:.3g}'


def write(path, data):
    """Write a file whole or not at all."""
    part = path.with_name(f'.{path.name}.part')
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(f'cannot write {path} ({len(data)} bytes): {error.strerror}') from error


def main(argv=None):
    """Predict all images; a broken one is named and does not stop the others."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('model', type=Path, help='a file made by export_onnx.py')
    parser.add_argument('images', nargs='+', type=Path, help='files or folders')
    parser.add_argument('--out', type=Path, default=Path('depth'), help='folder (default: depth)')
    parser.add_argument('--npy', action='store_true', help='also write the numbers')
    parser.add_argument('--device', choices=PROVIDERS, default='cpu')
    args = parser.parse_args(argv)
    if not args.model.is_file():
        sys.exit(f'there is no model {args.model}')
    if empty := [given for given in args.images if not list_images(given)]:
        sys.exit(f'the folder {empty[0]} holds no image ({", ".join(EXTENSIONS)})')
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        model = DepthModel(args.model, args.device)
    except (ImportError, ValueError, OSError) as error:
        sys.exit(f'onnx_demo: {error}')
    done, files = 0, [path for given in args.images for path in list_images(given)]
    for path, name in zip(files, unique_names(files), strict=True):
        try:
            print(predict_file(model, path, args.out, name, args.npy), flush=True)
            done += 1
        except (ValueError, OSError, cv2.error) as error:
            print(f'skipped: {error}', file=sys.stderr)
    print(f'{done} of {len(files)} images, in {args.out}')
    if done < len(files):
        sys.exit(1)


if __name__ == '__main__':
    main()
