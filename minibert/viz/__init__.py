"""Pictures of what an encoder does."""

from minibert.viz.attention import plot_attention

__all__ = ["plot_attention"]
