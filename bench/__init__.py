"""convmark: the same CNN in every deep-learning framework, measured fairly."""

__version__ = "0.1.0"
