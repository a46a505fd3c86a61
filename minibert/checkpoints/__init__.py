"""The Hugging Face folder format, read and written: config.json, model.safetensors, their names and ours."""

from minibert.checkpoints import bert as names_bert  # BERT's table of names: chapter 6 reads it
from minibert.checkpoints.folder import load_config, load_model, load_tensors, read_json, save_model, save_tensors
from minibert.checkpoints.hf_config import config_from_hf, config_to_hf
from minibert.checkpoints.sentence_folder import model_folder
from minibert.checkpoints.translate import load_state_dict_from, stated_kind

__all__ = [
    "config_from_hf",
    "config_to_hf",
    "load_config",
    "load_model",
    "load_state_dict_from",
    "load_tensors",
    "model_folder",
    "names_bert",
    "read_json",
    "save_model",
    "save_tensors",
    "stated_kind",
]
