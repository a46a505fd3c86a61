"""An exception of the learner's code, in one or two sentences: where, what, and the likely cause. No traceback."""

import functools
import linecache
import re
import sysconfig
from pathlib import Path

import torch

from minibert.course.limits import Stop

_OTHERS = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_OTHERS |= {Path(torch.__file__).resolve().parent, Path(__file__).resolve().parents[1]}

CAUSES = {  # a pattern in the message, and what it usually means; {0}, {1} are the pattern's groups
    r"shapes cannot be multiplied \((\S+) and (\S+)\)": "a matrix product of {0} by {1}: the last size of the first "
    "must equal the first size of the second; a transpose missing or one too many, or a Linear of other sizes?",
    r"first two dimensions of batch2 tensor to be: (\[.*?\]) but got: (\[.*?\])": "in a batched product the second "
    "factor should have sizes {0} (batch, inner) and has {1}; is a transpose(-2, -1) missing, or one too many?",
    r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\)": "two tensors that do not broadcast: {0} "
    "against {1}; print both shapes, then look for a missing unsqueeze, keepdim=True or transpose",
    r"size mismatch, got": "the sizes of a product do not fit; print both shapes just before this line",
    r"but got float|'float' object cannot be interpreted as an integer": "a size must be a whole number, and / makes a "
    "float even of whole numbers: divide with //",
    r"shape '(.*?)' is invalid for input of size (\d+)": "{1} numbers do not fill the shape {0}",
    r"view size is not compatible": "after a transpose numbers lie in another order: reshape, or contiguous() before",
    r"Dimension out of range": "the tensor has fewer dimensions than this line thinks; print its shape",
    r"index out of range in self|(index|Target) \S+ is out of bounds": "an index larger than the table it points into",
    r"shape of the mask .* does not match": "a boolean mask must have the shape of what it selects from",
    r"normalized_shape|einsum\(\)|Sizes of tensors must match|expanded size|stack expects": "print the shapes first",
    r"only supports boolean masks": "the mask holds numbers; make it boolean with mask.bool() or a comparison",
    r"Subtraction, the .-. operator, with a bool": "1 - mask is not defined for a boolean mask: ~mask turns it round",
    r"invert.*only implemented|logical": "~ turns a boolean mask round; this tensor is not boolean",
    r"same dtype|dtypes match|expected scalar type|not implemented for '|infer output dtype|one of the following": (
        "a dtype that this operation cannot take, integers for floats or floats for integers: .float() or .long()"
    ),
    r"Boolean value of Tensor|truth value of an array": "`if` and `and` need one yes or no, and this tensor holds many",
    r"cannot be converted to Scalar|only one element tensors": "a tensor of several numbers where one is needed",
    r"missing the required .forward.": "the class has no method forward(self, ...); is it spelled so and indented?",
    r"before Module.__init__\(\) call": "__init__ must begin with super().__init__()",
    r"modified by an inplace operation": "what the gradient still needs is changed in place: write x = x + y",
    r"leaf Variable that requires grad": "a parameter is changed in place; compute a new tensor instead",
    r"'NoneType' object": "something is None here: a function without return, or an argument left out",
    r"'list' object has no attribute|'tuple' object has no attribute": "a list where a tensor is needed: torch.stack",
    r"takes .* positional arguments? but|missing \d+ required|unexpected keyword": "other arguments are expected",
    r"name '(.*?)' is not defined": "{0} is misspelt, or the cell that defines it has not been run",
    r"where it is not associated|referenced before": "this name gets its value only later, or in one branch",
    r"No module named|cannot import": "this is not installed; the exercise needs nothing beyond the first cell",
    r"^RecursionError": "the function calls itself and never stops",
    r"^ZeroDivisionError": "a count or a sum is zero here",
    r"^KeyError": "the dictionary has no such key",
    r"^IndexError": "an index past the end",
    r"^AssertionError": "an assert in your own code does not hold for the inputs of this check",
    r"^MemoryError": "a tensor far too large; print the shapes",
    r"^SystemExit": "the code tries to end the program; leave out exit()",
    r"^KeyboardInterrupt": "it was interrupted",
}


def explain(error: BaseException) -> str:
    """The likely cause of an exception, or "" when its message says it all.

    >>> explain(RuntimeError("shape '[4, 2]' is invalid for input of size 6"))
    '6 numbers do not fill the shape [4, 2]'
    """
    found = ((re.search(pattern, message(error)), cause) for pattern, cause in CAUSES.items())
    return next((cause.format(*match.groups()) for match, cause in found if match), "")


def message(error: BaseException) -> str:
    """The first line of an exception, without memory addresses and not longer than 200 characters.

    >>> message(ValueError("no"))
    'ValueError: no'
    """
    try:
        lines = str(error).strip().splitlines()
    except Stop:
        raise
    except BaseException:  # whatever the learner's own exception does when it is printed
        lines = []
    text = re.sub(r"\bat 0x[0-9a-fA-F]+|0x[0-9a-fA-F]{6,}", "", lines[0] if lines else "")[:200]
    name = " ".join(type(error).__name__.split())[:80]
    return f"{name}: {text}".rstrip(": ")


class Told:
    """An exception of another process, mixed into its built-in type: what was said of it there, and where.

    >>> str(type("ValueError", (Told, ValueError), {"text": "said there"})())
    'said there'
    """

    text, place, token = "", "", -1

    def __str__(self) -> str:
        return self.text


def where(error: BaseException) -> str:
    """The learner's own line that raised or led to `error`: "line 3, `y = x @ w`", or "" when no such line ran.

    >>> where(ValueError("made, and not raised"))
    ''
    """
    if isinstance(error, Told):
        return error.place
    found, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _is_learners(file):
            text = linecache.getline(file, trace.tb_lineno).strip()[:100]
            found = f"line {trace.tb_lineno}" + (f", `{text}`" if text else "")
        trace = trace.tb_next
    return found


@functools.cache
def _is_learners(file: str) -> bool:
    """Whether a file is neither Python's, nor an installed package's, nor ours."""
    if not Path(file).is_absolute():
        return not file.startswith("<frozen")
    return _OTHERS.isdisjoint(Path(file).resolve().parents)
