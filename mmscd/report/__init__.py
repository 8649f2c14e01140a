"""One HTML page about a training."""
