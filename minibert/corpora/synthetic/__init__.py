"""Generated corpora: seeded, offline, the same bytes on every platform. For tests, CI and where no real data exists."""

from .documents import documents

__all__ = ["documents"]
