"""From pictures and videos to depth: what `DepthInferencer` is made of."""
