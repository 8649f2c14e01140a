"""The index of files: every folder is listed once, frames are known by their number."""

import os

from mmscd.datasets.formats.file_index import FileIndex


def test_a_folder_is_listed_once(tmp_path, monkeypatch):
    (tmp_path / 'a.txt').touch()
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, 'listdir', lambda folder: listed.append(folder) or listdir(folder))
    index = FileIndex()
    for _ in range(3):
        assert index.problem(str(tmp_path / 'a.txt')) is None
        assert index.problem(str(tmp_path / 'b.txt')) == f'no b.txt in {tmp_path}'
    gone = str(tmp_path / 'gone')
    paths = [str(tmp_path / 'a.txt'), f'{gone}/c.txt', str(tmp_path / 'b.txt')]
    assert index.first_problem(paths) == f'folder {gone} does not exist'
    assert listed == [str(tmp_path), gone]


def test_names_that_only_look_like_numbers_are_none(tmp_path):
    for name in ('\u00b2.png', '1.png', 'a1.png'):
        (tmp_path / name).write_bytes(b'')
    frames = FileIndex().frames(str(tmp_path), ('.png',))
    assert frames == {1: str(tmp_path / '1.png')}


def test_frames_are_those_of_the_commonest_extension_and_what_only_others_have(tmp_path):
    for name in ('0001.jpg', '2.jpg', '5.JPG', '0001.png', '4.PNG', 'x.jpg', '3.txt', '².png'):
        (tmp_path / name).touch()
    index, folder = FileIndex(), str(tmp_path)
    kinds = ('.png', '.jpg')
    names = {1: '0001.jpg', 2: '2.jpg', 4: '4.PNG', 5: '5.JPG'}
    assert index.frames(folder, kinds) == {i: f'{folder}/{name}' for i, name in names.items()}
    assert index.find(folder, 4, kinds) == (f'{folder}/4.PNG', None)
    assert index.find(folder, 2, kinds) == (f'{folder}/2.jpg', None)
    assert index.find(folder, 3, kinds) == ('', f'no 0000000003.png|.jpg in {folder}')
    assert index.frames(f'{folder}/gone', kinds) is None
    assert index.find(f'{folder}/gone', 1, kinds)[1] == f'folder {folder}/gone does not exist'
