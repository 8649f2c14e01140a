"""Options that a shell hands on word by word."""

from pathlib import Path

import pytest

from mmscd.video.hold_out import hold_out, options_of


def test_options_survive_the_shell():
    options = options_of(Path('/data/held_out'), 'drive_1')
    assert options[0] == 'train_dataloader.dataset.ann_file=/data/held_out/train_files.txt'
    assert ' '.join(options).split() == options and len(options) == 9


@pytest.mark.parametrize('name', ['my data', 'a,b', 'a*', "o'brien", 'a(1)', 'a\nb', 'a\\b'])
def test_what_the_shell_would_split_is_refused_before_any_work(name, tmp_path):
    with pytest.raises(ValueError, match='choose another folder'):
        hold_out(tmp_path, tmp_path / name, ['d'], 'd', 1, 1, False)
    assert not (tmp_path / name).exists()
