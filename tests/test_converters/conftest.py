"""Files with the names and shapes of the published networks, filled with random numbers."""

import pytest
import torch

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
DECODER = (16, 32, 64, 128, 256)


class Filler:
    """A state dict that grows; numbers as after training."""

    def __init__(self, seed=0):
        self.state, self.g = {}, torch.Generator().manual_seed(seed)

    def conv(self, name, out_channels, in_channels, kernel, bias=False):
        fan = in_channels * kernel * kernel
        weight = torch.randn(out_channels, in_channels, kernel, kernel, generator=self.g)
        self.state[f'{name}.weight'] = weight * (2 / fan) ** 0.5
        if bias:
            self.state[f'{name}.bias'] = torch.randn(out_channels, generator=self.g) * 0.1

    def norm(self, name, channels):
        def draw():
            return torch.rand(channels, generator=self.g)

        self.state[f'{name}.weight'] = draw() * 0.5 + 0.5
        self.state[f'{name}.bias'] = draw() * 0.2 - 0.1
        self.state[f'{name}.running_mean'] = draw() * 0.2 - 0.1
        self.state[f'{name}.running_var'] = draw() + 0.5
        self.state[f'{name}.num_batches_tracked'] = torch.tensor(100)


def resnet_state(depth=18, in_channels=3, prefix='', classifier=True, seed=0):
    """torchvision's names."""
    f, wide = Filler(seed), 4 if depth >= 50 else 1
    f.conv(f'{prefix}conv1', 64, in_channels, 7)
    f.norm(f'{prefix}bn1', 64)
    channels = 64
    for layer, count in enumerate(BLOCKS[depth]):
        width = 64 * 2**layer
        for block in range(count):
            name = f'{prefix}layer{layer + 1}.{block}'
            sizes = [(channels, width, 3), (width, width, 3)]
            if wide == 4:
                sizes = [(channels, width, 1), (width, width, 3), (width, 4 * width, 1)]
            for i, (inside, outside, kernel) in enumerate(sizes, 1):
                f.conv(f'{name}.conv{i}', outside, inside, kernel)
                f.norm(f'{name}.bn{i}', outside)
            if block == 0 and (layer > 0 or wide == 4):
                f.conv(f'{name}.downsample.0', wide * width, channels, 1)
                f.norm(f'{name}.downsample.1', wide * width)
            channels = wide * width
    if classifier:
        f.state[f'{prefix}fc.weight'] = torch.randn(1000, channels, generator=f.g)
        f.state[f'{prefix}fc.bias'] = torch.randn(1000, generator=f.g)
    return f.state


def decoder_state(depth=18, scales=(0, 1, 2, 3), seed=1):
    """Names of depth.pth."""
    f, wide = Filler(seed), 4 if depth >= 50 else 1
    encoder = (64, *(64 * wide * 2**i for i in range(4)))
    channels = encoder[4]
    for number, level in enumerate((4, 3, 2, 1, 0)):
        out = DECODER[level]
        skip = encoder[level - 1] if level else 0
        f.conv(f'decoder.{2 * number}.conv.conv', out, channels, 3, bias=True)
        f.conv(f'decoder.{2 * number + 1}.conv.conv', out, out + skip, 3, bias=True)
        channels = out
    for number, scale in enumerate(scales, 10):
        f.conv(f'decoder.{number}.conv', 1, DECODER[scale], 3, bias=True)
    return f.state


def pose_state(depth=18, motions=2, seed=2):
    """Names of pose.pth."""
    f = Filler(seed)
    f.conv('net.0', 256, 2048 if depth >= 50 else 512, 1, bias=True)
    f.conv('net.1', 256, 256, 3, bias=True)
    f.conv('net.2', 256, 256, 3, bias=True)
    f.conv('net.3', 6 * motions, 256, 1, bias=True)
    return f.state


@pytest.fixture(scope='session')
def published():
    """Makers of state dicts."""

    class Makers:
        resnet = staticmethod(resnet_state)
        decoder = staticmethod(decoder_state)
        pose = staticmethod(pose_state)
        blocks = BLOCKS

    return Makers


@pytest.fixture
def monodepth2_folder(tmp_path):
    """A maker of folders as Monodepth2's training leaves them."""

    def make(depth=18, size=(640, 192), stereo=False, pose=True, scales=(0, 1, 2, 3), **extra):
        folder = tmp_path / f'weights_{depth}'
        folder.mkdir(exist_ok=True)
        encoder = resnet_state(depth, prefix='encoder.')
        encoder.update(width=size[0], height=size[1], use_stereo=stereo, **extra)
        torch.save(encoder, folder / 'encoder.pth')
        torch.save(decoder_state(depth, scales), folder / 'depth.pth')
        if pose:
            pair = resnet_state(depth, 6, 'encoder.', seed=3)
            torch.save(pair, folder / 'pose_encoder.pth')
            torch.save(pose_state(depth), folder / 'pose.pth')
        return folder

    return make
