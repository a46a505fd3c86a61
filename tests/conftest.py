"""What every test runs under: one thread, no network for the oracle, property tests that repeat exactly."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for scikit-learn: its threads would only wait for each other
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ["MINIBERT_PROGRESS"] = ""  # no test is a learner's try

import torch
from hypothesis import settings

torch.set_num_threads(1)  # the tensors here are tiny: more threads only wait for each other
settings.register_profile("minibert", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("minibert")

# Files that start processes, train, measure or walk through everything: `make test-quick` leaves them out.
SLOW = (
    "bench browser command_line compile corpora_kill course_build course_exercises course_hostile course_nbgrader "
    "course_notebooks course_statements environment experiments grade lab objectives_packing own_text resume "
    "distributed sentence_folders synthetic tokenization_corpora tokenization_folders training_loop word_vectors elmo "
    "wheel site"
).split()


def pytest_collection_modifyitems(items):
    for item in items:
        if any(name in item.path.stem for name in SLOW):
            item.add_marker("slow")
