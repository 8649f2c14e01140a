"""The corruption benchmark (KITTI-C) and ablations: passes, scores, tables, charts."""
