"""`python -m minibert bench`: ours and the opponent in turn, a table on stdout, JSON with the hardware on request."""

from pathlib import Path

import click

from minibert.commands.shared import note, print_text

# Which options mean something to which bench; an option that would be ignored is refused.
OPTIONS = {
    "inference": {"device", "dtype", "repeats", "workload", "model", "opponent", "plot", "memory"},
    "training": {"device", "dtype", "repeats", "workload", "model", "opponent", "plot", "memory"},
    "attention": {"device", "dtype", "repeats", "length", "plot", "memory"},
    "tokenizers": {"repeats"},
    "pretrain": {"device", "dtype", "repeats", "model"},
    "alignment": {"device", "dtype", "repeats"},
    "parts": {"device", "dtype", "repeats", "workload", "model"},
    "int8": {"repeats", "workload", "model"},
    "gpu": {"device"},
}
ROUNDS = {"tokenizers": 3, "pretrain": 3, "alignment": 9}
OPPONENT_HELP = """sdpa, eager, flash_attention_2; for inference onnxruntime, onnxruntime-int8, openvino, openvino-bf16
too, and any of them with -sorted behind; may be repeated. Default: sdpa; for inference on a CPU sdpa, sdpa-sorted and
the runtimes that are installed."""
SHORT_WORKLOADS = ("8x128", "8x512", "sentences")
CUDA_WORKLOADS = ("8x512", "32x512", "4x8192", "4x8192-full")


@click.command()
@click.argument("what", type=click.Choice(list(OPTIONS)), default="tokenizers")
@click.option("--device", help="cpu, cuda, cuda:1. Default: cpu; for gpu, cuda where there is one.")
@click.option("--dtype", type=click.Choice(["fp32", "bf16", "both"]), help="Default: fp32; bf16 on CUDA.")
@click.option(
    "--repeats", type=click.IntRange(min=1), help="Measured rounds; default 5, tokenizers and pretrain 3, alignment 9."
)
@click.option("--workload", multiple=True, help="8x512 (ragged), 1x2048, 4x8192-full, sentences; may be repeated.")
@click.option("--model", multiple=True, help="A preset; may be repeated. Default: the three base models.")
@click.option("--opponent", multiple=True, help=OPPONENT_HELP)
@click.option("--length", multiple=True, type=click.IntRange(min=1), help="attention: tokens of the text; repeat it.")
@click.option("--memory/--no-memory", default=True, show_default=True, help="Measure peak memory too.")
@click.option("--out", type=click.Path(path_type=Path), help="Write JSON here, after every workload.")
@click.option("--plot", is_flag=True, help="Draw speed and memory against length beside --out, as PNG.")
@click.pass_context
def bench(context, what, device, dtype, repeats, workload, model, opponent, length, memory, out, plot):
    """Measure WHAT on this machine, nearly always against code we did not write.

    \b
    inference   forward passes against transformers, ONNX Runtime and OpenVINO, same weights and inputs
    training    a step (loss, backward, optimiser) against transformers
    attention   one layer's attention from 1k to 16k tokens against torch's sdpa
    tokenizers  training and encoding against the tokenizers library
    pretrain    the pretraining loop end to end: tokens/s, share of data preparation
    alignment   one matrix product, for vocabularies that are multiples of 64 and their neighbours
    parts       where the time of a forward pass goes: projections, attention, feed-forward, norms
    int8        our float32, bf16 and int8 in one race with all of these, and everybody's error
    gpu         all that one wants to know of a GPU, in under 8 minutes; the file is written after every part, and the
                same command goes on where it was interrupted; without a GPU, a small version

    Example: python -m minibert bench inference --dtype both --out data/benchmarks/inference.json --plot
    """
    from minibert.bench import report
    from minibert.bench.machine import check_device
    from minibert.bench.table import table

    for parameter in context.command.params[1:]:
        given = context.get_parameter_source(parameter.name).name != "DEFAULT"
        if given and parameter.name not in OPTIONS[what] | {"out"}:
            raise click.UsageError(f"--{parameter.name} means nothing to bench {what}")
    if plot and out is None:
        raise click.UsageError("--plot draws beside the JSON: give --out FILE too")
    device = device or default_device(what)
    check_device(device)
    if what == "gpu":
        _run_gpu(device, out)
        return
    save = report.saver(out)
    on_gpu = device.startswith("cuda")
    settings = report.Settings(
        models=model or (default_models(what)),
        workloads=workload or default_workloads(what, on_gpu),
        dtypes=("fp32", "bf16") if dtype == "both" else (dtype or ("bf16" if on_gpu else "fp32"),),
        device=device,
        repeats=repeats or ROUNDS.get(what, 5),
        opponents=opponent or default_opponents(what, on_gpu),
        memory=memory,
    )
    results = _run(what, settings, save, length)
    save(results)  # before anything is printed, which may fail
    if plot:
        from minibert.bench.plot import plot_report

        plot_report(results, out.with_suffix(".png"))
    for line in table(results):
        print_text(line)


def default_device(what: str) -> str:
    """cpu; for `bench gpu` a CUDA device, where there is one.

    >>> default_device("inference")
    'cpu'
    """
    import torch

    return "cuda" if what == "gpu" and torch.cuda.is_available() else "cpu"


def default_models(what: str) -> tuple[str, ...]:
    """The base models; the nano ones for the pretraining loop.

    >>> default_models("pretrain")[0]
    'bert-nano'
    """
    from minibert.bench.report import MODELS

    return ("bert-nano", "modernbert-nano", "eurobert-nano") if what == "pretrain" else MODELS


def default_workloads(what: str, on_gpu: bool) -> tuple[str, ...]:
    """The workloads that are measured when none is named.

    >>> default_workloads("training", on_gpu=False)
    ('8x128', '8x512', 'sentences')
    """
    from minibert.bench.report import Settings

    if on_gpu:
        return CUDA_WORKLOADS
    return SHORT_WORKLOADS if what in ("training", "int8") else Settings.workloads


def default_opponents(what: str, on_gpu: bool) -> tuple[str, ...]:
    """sdpa; on a GPU FlashAttention too where it is installed; in the inference bench on a CPU what people would pick.

    >>> default_opponents("training", on_gpu=False)
    ('sdpa',)
    """
    import importlib.util

    if what == "inference" and not on_gpu:
        from minibert.bench.runtimes import NEEDS

        return ("sdpa", "sdpa-sorted", *NEEDS)

    flash = on_gpu and importlib.util.find_spec("flash_attn") is not None
    return ("sdpa", "flash_attention_2") if flash else ("sdpa",)


def _run_gpu(device: str, out: Path | None) -> None:
    from minibert.bench import gpu
    from minibert.bench.table import table

    for line in table(gpu.run(device, out, say=lambda line: click.echo(line, err=True))):
        click.echo(line)


def _run(what: str, settings, save, lengths: tuple[int, ...]) -> dict:
    def say(line: str) -> None:
        note(line)

    if what == "tokenizers":
        from minibert.bench import tokenizers

        return tokenizers.run(repeats=settings.repeats)
    if what == "pretrain":
        from minibert.bench import pretrain

        return pretrain.run(settings, save, say)
    if what == "alignment":
        from minibert.bench import alignment

        return alignment.run(settings, save, say)
    if what == "parts":
        from minibert.bench import parts

        return parts.run(settings, save, say)
    if what == "attention":
        from minibert.bench import attention

        return attention.run(settings, save, say, lengths or attention.LENGTHS)
    from minibert.bench import inference, int8, training

    try:
        return {"inference": inference, "training": training, "int8": int8}[what].run(settings, save, say)
    except ImportError as error:
        if error.name != "transformers":
            raise
        raise click.ClickException("this bench needs the opponent: pip install 'transformers>=5'") from None
