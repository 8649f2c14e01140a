default_scope = 'mmscd'

env_cfg = dict(
    cudnn_benchmark=True,
    # opencv must not start threads of its own in every worker
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
# used on several GPUs only
sync_bn = 'torch'
randomness = dict(seed=0)

log_level = 'INFO'
log_processor = dict(type='LogProcessor', by_epoch=False, window_size=50)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='DepthVisualizer', vis_backends=vis_backends, name='visualizer')

default_hooks = dict(
    runtime_info=dict(type='LazyRuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='AtomicCheckpointHook',
        by_epoch=False,
        interval=3317,  # an epoch of the Zhou split at a total batch of 12
        max_keep_ckpts=3,
        save_best='abs_rel',
        rule='less',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    collapse_monitor=dict(type='CollapseMonitorHook', begin=500, interval=50),
    visualization=dict(type='DepthVisualizationHook', max_images=8),
)

load_from = None
resume = False
