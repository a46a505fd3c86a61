"""Pictures of what an encoder does.

To look at: `plot_attention`, `plot_mask`, `plot_receptive_field`, `plot_word_by_layer`.
To look around in, in a notebook or as a page of its own: `AnswerView`, `AttentionView`, `BitsView`, `BlockView`,
`Explainer`, `LanguageView`, `ParametersView`, `ReachView`, `RotationView`, `ScatterView`, `ScheduleView`,
`SearchView`, `TagView`, `TokenizerView`, `TuningView`, `UnmaskView`.
"""

from minibert.tasks.neighbours import nearest_neighbours, neighbour_agreement, neighbour_table
from minibert.tasks.projection import project
from minibert.tasks.words import word_vectors_by_layer
from minibert.viz.alt_text import describe_attention
from minibert.viz.answer_view import AnswerView, Asked
from minibert.viz.attention import plot_attention
from minibert.viz.attention_view import AttentionView
from minibert.viz.bits_view import BitsView
from minibert.viz.block_view import BlockView
from minibert.viz.explain import Explainer
from minibert.viz.language_view import LanguageView
from minibert.viz.masks import plot_mask, visible
from minibert.viz.parameters_view import ParametersView
from minibert.viz.reach_view import ReachView
from minibert.viz.receptive_field import plot_receptive_field, receptive_field
from minibert.viz.rotation_view import RotationView
from minibert.viz.scatter_view import ScatterView
from minibert.viz.schedule_view import ScheduleView
from minibert.viz.search_view import SearchView
from minibert.viz.tag_view import TagView
from minibert.viz.tokenizer_view import TokenizerView
from minibert.viz.tuning_view import TuningView
from minibert.viz.unmask_view import UnmaskView
from minibert.viz.word_pictures import plot_word_by_layer

__all__ = [
    "AnswerView",
    "Asked",
    "AttentionView",
    "BitsView",
    "BlockView",
    "Explainer",
    "LanguageView",
    "ParametersView",
    "ReachView",
    "RotationView",
    "ScatterView",
    "ScheduleView",
    "SearchView",
    "TagView",
    "TokenizerView",
    "TuningView",
    "UnmaskView",
    "describe_attention",
    "nearest_neighbours",
    "neighbour_agreement",
    "neighbour_table",
    "plot_attention",
    "plot_mask",
    "plot_receptive_field",
    "plot_word_by_layer",
    "project",
    "receptive_field",
    "visible",
    "word_vectors_by_layer",
]
