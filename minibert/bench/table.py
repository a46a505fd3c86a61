"""Results as lines of plain text: one row for each opponent."""

from collections.abc import Sequence


def table(report: dict) -> list[str]:
    """The lines of a report: speeds, how many times faster ours is, memory; then what was left out.

    >>> for line in table({"bench": "pretrain", "results": [], "skipped": ["bert-base 1x8192: too long"]}):
    ...     print(line)
    model  dtype  tokens/s  fill  data share
    skipped: bert-base 1x8192: too long
    """
    rows = {
        "inference": _model_rows,
        "training": _model_rows,
        "attention": _layer_rows,
        "pretrain": _loop_rows,
        "tokenizers": _tokenizer_rows,
        "alignment": _alignment_rows,
        "parts": _part_rows,
        "int8": _int8_rows,
        "gpu": _gpu_rows,
    }[report["bench"]](report)
    lines = align(rows)
    for name, contenders in report.get("exponents", {}).items():
        lines.append(f"{name}: cost grows with the length to the power of")
        for who, powers in contenders.items():
            lines.append(f"  {who}: " + ", ".join(f"{power} ({cost})" for cost, power in powers.items()))
    return lines + [f"skipped: {reason}" for reason in report.get("skipped", [])]


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines with columns of equal width; the first row is the header.

    >>> align([["a", "bb"], ["ccc", "d"]])
    ['a    bb', 'ccc  d']
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _model_rows(report: dict) -> list[list[str]]:
    rows = [["model", "workload", "dtype", "against", "ours tok/s", "theirs", "times faster", "of limit", "memory MiB"]]
    for found in report["results"]:
        where = [found["model"], found["workload"], found["dtype"]]
        for name, ratio in found["speedup"].items():
            rows.append(where + _against(found, name, ratio))
            limit = found["times_the_limit"]
            rows[-1].insert(-1, f"{1 / limit['ours']:.0%} / {1 / limit[name]:.0%}")
    return rows


def _layer_rows(report: dict) -> list[list[str]]:
    rows = [["layer", "pass", "length", "dtype", "against", "ours tok/s", "theirs", "times faster", "memory MiB"]]
    for found in report["results"]:
        where = [found["layer"], found["pass"], str(found["length"]), found["dtype"]]
        rows += [where + _against(found, name, ratio) for name, ratio in found["speedup"].items()]
    return rows


def _against(found: dict, name: str, ratio: dict) -> list[str]:
    speeds = [found["contenders"][who]["tokens_per_second"] for who in ("ours", name)]
    memory = found.get("peak_bytes")
    held = " / ".join(f"{memory[who] / 2**20:.0f}" for who in ("ours", name)) if memory else "-"
    return [name, *(f"{speed:.0f}" for speed in speeds), f"{ratio['median_of_rounds']:.2f}", held]


def _int8_rows(report: dict) -> list[list[str]]:
    rows = [["model", "workload", "contender", "tok/s", "times transformers fp32", "rms error", "MB"]]
    for found in report["results"]:
        for name, one in found["contenders"].items():
            cells = [f"{one['tokens_per_second']:.0f}", f"{one['speedup']['median_of_rounds']:.2f}"]
            cells += [f"{one['rms']:.1e}", f"{one['bytes'] / 1e6:.1f}"]
            rows.append([found["model"], found["workload"], name, *cells])
    return rows


def _loop_rows(report: dict) -> list[list[str]]:
    rows = [["model", "dtype", "tokens/s", "fill", "data share"]]
    for found in report["results"]:
        speed = f"{found['loop']['tokens_per_second']:.0f}"
        rows.append([found["model"], found["dtype"], speed, f"{found['fill']:.3f}", f"{found['data_share']:.1%}"])
    return rows


def _tokenizer_rows(report: dict) -> list[list[str]]:
    rows = [["tokenizer", "what", "ours", "library", "ours / library"]]
    for name in ("bpe", "wordpiece"):
        training, encoding = report[name]["training"], report[name]["encoding"]
        medians, speeds = training["median_seconds"], encoding["megabytes_per_second"]
        ratio = f"{training['ours_over_library']:.2f}"
        rows.append([name, "training, s", f"{medians['ours']:.2f}", f"{medians['library']:.2f}", ratio])
        for side in ("one_by_one", "batch"):
            ours, library = f"{speeds['ours_ids']:.2f}", f"{speeds[f'library_{side}']:.2f}"
            ratio = f"{encoding[f'ours_over_library_{side}']:.2f}"
            rows.append([name, f"ids, MB/s ({side.replace('_', ' ')})", ours, library, ratio])
    return rows


def _gpu_rows(report: dict) -> list[list[str]]:
    rows = [["part", "who", "tokens/s", "ours is faster", "TFLOP/s", "of the card", "memory MiB", "kernel"]]
    for name, part in report["parts"].items():
        if "error" in part:
            rows.append([name, part["error"]])
        elif "all_right" in part:
            wrong = sum(not case["right"] for case in part["cases"])
            rows.append([name, "right" if part["all_right"] else f"WRONG in {wrong} of {len(part['cases'])} cases"])
        elif "measured_tflops" in part:
            card = part["card_tflops"]
            share = "unknown card" if card is None else f"{part['measured_tflops'] / card:.0%}"
            rows.append([name, "torch.mm", "", "", f"{part['measured_tflops']:.1f}", share])
        for who, found in part.get("contenders", {}).items():
            ratio = part["speedup"].get(who, {}).get("median_of_rounds")
            share, held, ran = found["share_of_card"], found["peak_bytes"], found["kernels"]
            rows.append([name, who, f"{found['tokens_per_second']:.0f}", "" if ratio is None else f"{ratio:.2f}"])
            rows[-1] += [f"{found['tflops']:.2f}", "" if share is None else f"{share:.0%}"]
            rows[-1] += ["" if held is None else f"{held / 2**20:.0f}", ran[0]["kernel"][:60] if ran else ""]
        rows += [[name, who, reason] for who, reason in part.get("failed", {}).items()]
    return [row + [""] * (len(rows[0]) - len(row)) for row in rows]


def _part_rows(report: dict) -> list[list[str]]:
    rows = [["model", "workload", "dtype", "part", "ms", "share"]]
    for found in report["results"]:
        where = [found["model"], found["workload"], found["dtype"]]
        rows.append([*where, "all", f"{1000 * found['median_seconds']:.1f}", ""])
        total = sum(part["median_seconds"] for part in found["parts"].values())
        for name, part in found["parts"].items():
            seconds = part["median_seconds"]
            rows.append([*where, name, f"{1000 * seconds:.1f}", f"{seconds / total:.1%}"])
    return rows


def _alignment_rows(report: dict) -> list[list[str]]:
    """Of the staircase only the multiples of 32 and their neighbours: all of it is in the JSON."""
    rows = [["product", "dtype", "columns", "multiple of", "ms", "GFLOP/s", "time per column", "quartiles"]]
    for found in report["results"]:
        if found["group"] == "staircase" and min(found["size"] % 32, -found["size"] % 32) > 1:
            continue
        size = f"{found['size']:,}" + (" again" if found["again"] else "")
        ratio, middle = found["per_column"], f"{1000 * found['median_seconds']:.3g}"
        rows.append([found["group"], found["dtype"], size, str(found["multiple_of"]), middle, f"{found['gflops']:.0f}"])
        rows[-1] += [f"{ratio['median']:.2f}", f"{ratio['quartiles'][0]:.2f}-{ratio['quartiles'][1]:.2f}"]
    return rows
