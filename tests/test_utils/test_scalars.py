"""Logs of killed runs: what can be read of them."""

from mmscd.utils.scalars import read_scalars


def test_only_numbers_at_a_step_are_read(tmp_path):
    lines = ['{"step": 1, "loss": 2.5}', '{"step": 2, "loss"', '[' * 100_000, '5', '[1]', 'null']
    lines += ['{"step": null}', '{"step": NaN}', '{"step": 1e999}', '{"step": true}', '9' * 5000]
    lines += [f'{{"step": {10**400}}}', f'{{"step": 3, "loss": {10**400}, "a": "b", "n": 4}}']
    (tmp_path / 'a.json').write_text('\n'.join(lines))
    assert read_scalars(tmp_path / 'a.json') == [dict(step=1, loss=2.5), dict(step=3, n=4)]
