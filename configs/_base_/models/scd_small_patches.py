# Another mix of SCD's parts, tuned on a street that is neither trained on nor tested: less of an
# image is perturbed and more softly, which counts more, and so does the graph. A leaf puts it in:
# `texture={{_base_.small_patches.texture}}`. Measured in docs/en/experiments.
small_patches = dict(
    texture=dict(
        perturbation=dict(
            share=(0.05, 0.2),
            keep_edges=0.8,
            kinds=dict(missing=dict(lowpass_prob=0.3), light=dict(prob=0.5, gain=3.0)),
        ),
        consistency_weight=0.015,
        loss_weight=2.0,
    ),
    graph=dict(
        edge=dict(loss_weight=0.3),
        node=dict(loss_weight=0.3),
        anchor=dict(loss_weight=0.3),
    ),
)
