"""Own footage: frames, motion, checks, camera files, sparse depth. Users call the tools."""

__all__: list[str] = []
