# SCD over Monodepth2: structure consistency, texture disambiguation and isomorphic-graph
# distillation.
_base_ = ['./monodepth2_r18.py', './scd_parts.py']
model = {{_base_.scd}}
