# The parts of SCD, for a Monodepth2 with a ResNet-18: scd_r18.py puts them in, and so can a config
# whose base has set `model` already. Without a teacher: a leaf adds exactly one,
# `model.distiller.teacher`. A part is switched off by None; variants: ../../scd/ablations.yml.
scd = dict(
    losses=dict(
        structure=dict(type='StructureConsistencyLoss', loss_weight=0.03),
        texture=dict(
            type='TextureDisambiguationLoss',
            perturbation=dict(
                type='RetinexTexturePerturbation',
                keep_edges=0.5,
                kinds=dict(missing=dict(lowpass_prob=0.7), light=dict(prob=0.8, gain=6.0)),
            ),
            consistency_weight=0.03,
            photometric_weight=1.0,
            samples=0.5,
            loss_weight=1.0,
        ),
    ),
    distiller=dict(
        type='IsomorphicGraphDistiller',
        student_taps=[dict(module='backbone', index=3, channels=256, stride=16)],
        stride=16,
        dim=64,
        losses=dict(
            edge=dict(type='EdgeKLLoss', loss_weight=0.1),
            node=dict(type='NodeCosineLoss', loss_weight=0.1),
            anchor=dict(type='AnchorLoss', loss_weight=0.1),
        ),
    ),
)
