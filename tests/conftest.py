"""What every test runs under: one thread, no network for the oracle, property tests that repeat exactly."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch
from hypothesis import settings

torch.set_num_threads(1)  # the tensors here are tiny: more threads only wait for each other
settings.register_profile("minibert", deadline=None, derandomize=True, max_examples=30)
settings.load_profile("minibert")
