"""Entry points for programs."""
