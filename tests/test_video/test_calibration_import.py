"""Cameras of COLMAP, OpenCV and ROS."""

import cv2
import numpy as np
import pytest

from mmscd.video.calibration_import import Calibration, read_colmap, read_opencv, undistort_maps

OPENCV = """%YAML:1.0
---
image_width: 672
image_height: 376
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 338., 0., 341., 0., 339., 200., 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ -0.18, 0.03, 0.001, -0.002, 0.01 ]
"""
ROS = """image_width: 672
image_height: 376
distortion_model: plumb_bob
camera_matrix: {rows: 3, cols: 3, data: [338, 0, 341, 0, 339, 200, 0, 0, 1]}
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""


def test_colmap(tmp_path):
    path = tmp_path / 'cameras.txt'
    path.write_text('# comment\n3 OPENCV 640 480 500 510 320 240 -0.1 0.01 0.001 0.002\n')
    camera = read_colmap(path)
    # COLMAP's pixel centres lie at .5
    assert np.array_equal(camera.K, [[500, 0, 319.5], [0, 510, 239.5], [0, 0, 1]])
    assert camera.size == (640, 480)
    assert np.allclose(camera.distortion, [-0.1, 0.01, 0.001, 0.002, 0])
    path.write_text('1 SIMPLE_PINHOLE 640 480 500 320 240\n2 RADIAL 64 48 50 32 24 0.1 0.2\n')
    simple = read_colmap(path, 1)
    assert simple.distortion is None and simple.K[0, 0] == simple.K[1, 1] == 500
    assert read_colmap(path, 2).distortion.tolist() == [0.1, 0.2, 0, 0, 0]
    with pytest.raises(ValueError, match=r'has the cameras \[1, 2\]: name one, got None'):
        read_colmap(path)
    path.write_text('1 OPENCV_FISHEYE 640 480 500 500 320 240 0 0 0 0\n')
    with pytest.raises(ValueError, match=r'cameras.txt:1: model OPENCV_FISHEYE with 8'):
        read_colmap(path)
    path.write_text('1 PINHOLE 640 480 1.2 2.1 0.5 0.5\n')
    with pytest.raises(ValueError, match='cameras.txt: focal lengths 1.2, 2.1 are no pixels'):
        read_colmap(path)
    path.write_text('1 PINHOLE 640 480 500 five 320 240\n')
    with pytest.raises(ValueError, match="cameras.txt:1 must hold numbers, got .*'five'"):
        read_colmap(path)
    path.write_bytes(b'\xff\xfe\x00binary')
    with pytest.raises(ValueError, match='is no text; COLMAP'):
        read_colmap(path)
    with pytest.raises(FileNotFoundError, match='nothing.txt'):
        read_colmap(tmp_path / 'nothing.txt')


def test_opencv_and_ros(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(OPENCV)
    camera = read_opencv(path)
    assert camera.K.tolist() == [[338, 0, 341], [0, 339, 200], [0, 0, 1]]
    assert camera.size == (672, 376)
    assert camera.distortion.tolist() == [-0.18, 0.03, 0.001, -0.002, 0.01]
    path.write_text(ROS)
    assert read_opencv(path).distortion is None
    path.write_text(ROS.replace('plumb_bob', 'equidistant'))
    with pytest.raises(ValueError, match="distortion model 'equidistant' is not supported"):
        read_opencv(path)
    path.write_text(ROS.replace('338', '.nan'))
    with pytest.raises(ValueError, match='camera_matrix must hold numbers'):
        read_opencv(path)
    path.write_text(ROS.replace('[338, 0, 341, 0, 339, 200, 0', '[338, 0, 0, 0, 339, 0, 341'))
    with pytest.raises(ValueError, match='camera.yaml: camera_matrix holds no camera matrix'):
        read_opencv(path)
    path.write_text(ROS.replace('338, 0, 341, 0, 339, 200', '0.5, 0, 0.5, 0, 0.9, 0.5'))
    with pytest.raises(ValueError, match='camera.yaml: focal lengths 0.5, 0.9 are no pixels'):
        read_opencv(path)
    laughs = ''.join(
        f'x{i}: &x{i} [{", ".join([f"*x{i - 1}"] * 99) if i else 1}]\n' for i in range(9)
    )
    for text, told in (
        (laughs + ROS.replace('[338, 0,', '[*x8, 0,'), 'camera_matrix must hold numbers'),
        (ROS.replace('338', 'true'), 'camera_matrix must hold numbers'),
        (ROS.replace('672', '0x' + 'f' * 5000), 'image size must hold numbers, got'),
        (ROS.replace('672', '1e9'), r'size \(up to 32767\) must be positive'),
        (laughs + ROS.replace('plumb_bob', '*x8'), 'the distortion model .* is not supported'),
        ('[' * 3000, 'is not yaml'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=rf'camera\.yaml.*{told}') as caught:
            read_opencv(path)
        assert len(str(caught.value)) < 500
    path.write_text('fx: 3\n')
    with pytest.raises(ValueError, match=r"lacks \['camera_matrix', 'image_width'"):
        read_opencv(path)


def test_a_fisheye_camera_of_opencv_is_refused(tmp_path):
    path = tmp_path / 'out_camera_data.yml'
    path.write_text(OPENCV + 'fisheye_model: 1\n')
    with pytest.raises(ValueError, match=r'out_camera_data\.yml: fisheye_model is 1'):
        read_opencv(path)
    path.write_text(OPENCV + 'fisheye_model: 0\n')
    assert read_opencv(path).distortion is not None


def test_a_file_of_opencv_itself(tmp_path):
    path = str(tmp_path / 'written.yaml')
    storage = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    K = np.array([[400.0, 0, 150], [0, 401, 100], [0, 0, 1]])
    for name, value in dict(image_width=300, image_height=200, camera_matrix=K).items():
        storage.write(name, value)
    storage.write('distortion_coefficients', np.array([[0.1, 0, 0, 0, 0]]))
    storage.release()
    camera = read_opencv(path)
    assert np.array_equal(camera.K, K) and camera.distortion[0] == 0.1


def test_a_distortion_that_cannot_be_undone_names_its_file(tmp_path):
    path = tmp_path / 'ros.yaml'
    path.write_text(
        'image_width: 640\nimage_height: 480\n'
        'camera_matrix: {rows: 3, cols: 3, data: [500, 0, 320, 0, 500, 240, 0, 0, 1]}\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 1.0e+30, 0, 0]}\n'
    )
    with pytest.raises(ValueError, match=r'ros\.yaml: the distortion .* leaves black borders'):
        undistort_maps(read_opencv(path).resized((320, 240)))


@pytest.mark.parametrize('k1', [-0.2, 0.1])
def test_undistorted_pictures_are_pinhole_pictures(k1):
    K = np.array([[300.0, 0, 160], [0, 310, 118], [0, 0, 1]])
    camera = Calibration(K, (320, 240), np.array([k1, 0.02, 0, 0, 0]))
    map_a, map_b, new = undistort_maps(camera)
    assert np.array_equal(new[:2, 2], K[:2, 2])
    assert new[0, 0] / K[0, 0] == pytest.approx(new[1, 1] / K[1, 1])
    ones = np.full((240, 320), 255, np.uint8)
    # no black border, and not cut closer than needed: a little less would show one
    assert cv2.remap(ones, map_a, map_b, cv2.INTER_LINEAR).min() > 240
    tighter = new * np.array([[0.97, 1, 1], [1, 0.97, 1], [1, 1, 1]])
    maps = cv2.initUndistortRectifyMap(K, camera.distortion, None, tighter, (320, 240), 5)
    assert cv2.remap(ones, *maps, cv2.INTER_LINEAR).min() < 128
    # a point of the scene lands where the new pinhole camera sees it
    point = np.array([[0.5, -0.3, 2.0]])
    seen = cv2.projectPoints(point, np.zeros(3), np.zeros(3), K, camera.distortion)[0].ravel()
    picture = np.zeros((240, 320), np.float32)
    v, u = np.mgrid[:240, :320]
    picture = np.exp(-((u - seen[0]) ** 2 + (v - seen[1]) ** 2) / 20).astype(np.float32)
    flat = cv2.remap(picture, map_a, map_b, cv2.INTER_LINEAR)
    expected = (new @ point[0] / 2)[:2]
    assert np.hypot((flat * u).sum() / flat.sum() - expected[0],
                    (flat * v).sum() / flat.sum() - expected[1]) < 0.2  # fmt: skip
