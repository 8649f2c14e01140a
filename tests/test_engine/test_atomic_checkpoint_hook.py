"""Trainings that are killed at the worst moments leave the folder that an unkilled one leaves."""

FSYNC, RENAME, REMOVE = ['os', 'fsync'], ['os', 'replace'], ['os', 'remove']
VALIDATE = ['mmengine.runner.loops', 'ValLoop', 'run_iter']
EVALUATE = ['mmengine.evaluator', 'Evaluator', 'evaluate']


def test_kills_leave_the_folder_of_an_unkilled_run(train, whole, same_folder, tmp_path):
    # in the first write, in a validation, and before the last but one and the best but one go
    kills = [(FSYNC, 1), (VALIDATE, 2), (REMOVE, 1), (REMOVE, 2)]
    runs = [dict(folder=tmp_path, at=at, nth=nth) for at, nth in kills]
    statuses, output = train(*runs, dict(folder=tmp_path))
    assert statuses == [*[-9] * len(kills), 0], output[-3000:]
    same_folder(tmp_path, whole)
    assert (tmp_path / 'best_abs_rel_iter_4.pth').is_file()
