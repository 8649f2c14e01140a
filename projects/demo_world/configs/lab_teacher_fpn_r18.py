# The semantic teacher of the laboratory: teacher_fpn_r18_demo.py on its training streets, which are
# six times as many.
_base_ = ['./teacher_fpn_r18_demo.py']
lab_root = '{{$DEMO_LAB:data/demo_lab}}'
train_dataloader = dict(dataset=dict(data_root=lab_root))
val_dataloader = dict(dataset=dict(data_root=lab_root))
test_dataloader = dict(dataset=dict(data_root=lab_root))
param_scheduler = [
    dict(
        type='LinearLR',
        by_epoch=True,
        begin=0,
        end=1,
        start_factor=0.1,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=1,
        end=12,
        T_max=11,
        eta_min=1e-5,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(max_epochs=12, val_interval=6)
