"""Texts of different lengths without padding: the packed form, and attention on it."""

from minibert.varlen.banded import banded_attention
from minibert.varlen.dispatch import ANYWHERE, BACKENDS, Machine, attend, attention, choose_backend, find_machine
from minibert.varlen.padding import Packing, cu_seqlens_of, find_packing, packed_positions, pad, unpad
from minibert.varlen.per_document import per_document_attention
from minibert.varlen.reference import PackedContext, reference_attention
from minibert.varlen.tiled import tiled_attention

__all__ = [
    "ANYWHERE",
    "BACKENDS",
    "Machine",
    "PackedContext",
    "Packing",
    "attend",
    "attention",
    "banded_attention",
    "choose_backend",
    "cu_seqlens_of",
    "find_machine",
    "find_packing",
    "packed_positions",
    "pad",
    "per_document_attention",
    "reference_attention",
    "tiled_attention",
    "unpad",
]
