# Segmenter on ViT-S: a plain transformer, one map.
teacher = dict(
    type='MMSegTeacher',
    config='mmseg::segmenter/segmenter_vit-s_mask_8xb1-160k_ade20k-512x512.py',
    checkpoint='auto',
    taps=[dict(module='backbone', index=0, channels=384, stride=16)],
)
