"""Own footage: frames, motion, checks, camera files, sparse depth."""
