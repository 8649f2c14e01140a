# SCD with a third party's loss and teacher; `custom_imports` is all that mmscd has to know.
_base_ = ['../../../configs/scd/scd_r18_kitti.py']
custom_imports = dict(imports=['projects.example_project.example_project'])
model = dict(
    losses=dict(normals=dict(type='NormalConsistencyLoss', loss_weight=0.01)),
    distiller=dict(
        teacher=dict(
            _delete_=True,
            type='TorchScriptTeacher',
            file='{{$EXPERT:data/expert.pt}}',
            taps=[dict(module='expert', channels=256, stride=16)],
        )
    ),
)
