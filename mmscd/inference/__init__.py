"""From pictures and videos to depth: what `DepthInferencer` is made of. Users call `mmscd.apis`."""

__all__: list[str] = []
