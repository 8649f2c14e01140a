"""The cache of depth maps, when its files are damaged."""

import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmscd.datasets.formats.depth_cache import DepthCache

DEPTH = np.zeros((4, 6), np.float32)
DEPTH[1, 2], DEPTH[3, 5] = 7.5, 2


def store(**changed):
    arrays = dict(shape=np.array([4, 6]), index=np.array([8, 23], np.uint32), depth=[7.5, 2.0])
    return arrays | changed


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'PK\3\4 half',
        store(shape=np.array([10**6, 10**6])),
        store(shape=np.array(5)),
        store(index=np.array([8, 24])),
        store(depth=np.array([1, np.nan])),
        store(depth=np.array(['a', 'b'])),
        dict(shape=np.array([4, 6])),
    ],
)
def test_a_damaged_file_is_built_again(tmp_path, content, monkeypatch):
    cache = DepthCache(str(tmp_path))
    path = cache.path('a', b'')
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    told: list[str] = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', told.append)
    built = []
    for _ in range(2):
        np.testing.assert_array_equal(cache.get('a', b'', lambda: built.append(1) or DEPTH), DEPTH)
    assert built == [1]
    assert len(told) == 1 and path.name in told[0] and told[0].endswith('; it is built again')
