"""`python -m minibert info`: this machine, and the models by their numbers."""

import platform

import click

from minibert.commands.shared import find_folder, print_json, print_text
from minibert.places import PACKAGE


def environment_report() -> dict[str, str]:
    """What a bug report needs: versions, processor, device.

    >>> sorted(environment_report())
    ['attention', 'cpu threads', 'device', 'minibert', 'numpy', 'platform', 'python', 'source code', 'torch']
    """
    import numpy
    import torch

    import minibert
    from minibert.varlen.dispatch import describe_choice, find_machine

    has_gpu = torch.cuda.is_available()
    machine = find_machine(torch.device("cuda" if has_gpu else "cpu"))
    choice = describe_choice(machine, torch.bfloat16 if has_gpu else torch.float32)
    return {
        "minibert": minibert.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu threads": str(torch.get_num_threads()),
        "device": torch.cuda.get_device_name(0) if has_gpu else "cpu",
        "attention": choice.removeprefix("attention on "),  # what `auto` takes; on a GPU, in half precision
        "source code": str(PACKAGE),
    }


def count_parameters(config) -> dict[str, int]:
    """Parameters of the encoder (with BERT's pooler) and of the masked language model, tied tensors counted once.

    >>> from minibert import EncoderConfig
    >>> count_parameters(EncoderConfig.preset("bert-base"))
    {'encoder': 109482240, 'masked language model': 109514298}
    """
    from minibert.model.cost import parameters_by_part

    parts = parameters_by_part(config)
    whole = sum(parts.values())
    return {"encoder": whole - parts["head"], "masked language model": whole - parts["pooler"]}


@click.command()
@click.argument("model", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def info(model, as_json):
    """Describe this machine, or MODEL: a preset's name, a shipped model or a folder.

    Example: python -m minibert info modernbert-base
    """
    import dataclasses

    from minibert import EncoderConfig
    from minibert.checkpoints.hf_config import published_family
    from minibert.presets import PRESETS

    if model is None:
        report = environment_report() | {"presets": ", ".join(PRESETS)}
    else:
        if model in PRESETS:
            config = EncoderConfig.preset(model)
        else:
            from minibert.checkpoints import load_config

            try:
                config = load_config(find_folder(model))
            except ValueError as error:
                raise ValueError(f"{error}; or a preset: {', '.join(PRESETS)}") from None
        names = {"family": config.family, "model type": published_family(config)}
        report = names | count_parameters(config) | dataclasses.asdict(config)
    if as_json:
        print_json(report)
    else:
        width = max(map(len, report))
        for name, value in report.items():
            shown = f"{value:,}" if type(value) is int and value > 9999 else value
            print_text(f"{name:<{width}}  {shown}")
