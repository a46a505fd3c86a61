"""The Hugging Face folder format, read and written: config.json, model.safetensors, their names and ours."""

from minibert.checkpoints.load import load_state_dict_from

__all__ = ["load_state_dict_from"]
