"""The other side of a comparison: the workloads of bench/side in PyTorch, PyTorch Geometric and DGL, behind the same lines on standard
input and output. Inputs and weights are files that bench/side --export wrote. bench/compare.py starts this."""

import argparse
import ctypes
import gc
import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")

import torch

from tensors import read_safetensors


def memory(key):
    for line in open("/proc/self/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def in_dgl(variant):
    return variant.startswith("dgl")


def import_what_is_needed(name, variant):
    """Before memory is looked at: libraries are not part of a workload."""
    if in_dgl(variant):
        import dgl_layers  # noqa: F401
        if variant == "dgl-sparse":
            import dgl.sparse  # noqa: F401
        return
    if name.startswith(("nci1", "proteins", "zinc", "cluster")):
        import training  # noqa: F401
    if name == "language":
        import language  # noqa: F401
    if name.startswith("gat"):
        import torch_geometric.nn  # noqa: F401


def build(options, dropout):
    name, folder = options.workload, pathlib.Path(options.inputs)
    inputs = read_safetensors(folder / "inputs.safetensors")
    if in_dgl(options.variant):
        import dgl_layers
        return dgl_layers.Gat(inputs) if name.startswith("gat") else dgl_layers.Spmm(inputs, options.variant, name.endswith("-both"))
    if name.startswith("attention"):
        from layers import Attention
        return Attention(inputs, options.variant)
    if name.startswith("causal"):
        from layers import CausalAttention
        return CausalAttention(inputs)
    if name.startswith("gat"):
        from layers import Gat
        return Gat(inputs)
    if name.startswith("spmm"):
        from layers import Spmm
        return Spmm(inputs, options.variant, name.endswith("-both"))
    if name == "adamw":
        from small import AdamStep
        return AdamStep(inputs, options.variant)
    if name == "tape":
        from small import Tape
        return Tape(inputs)
    weights = read_safetensors(options.weights)
    for tensors in (inputs, weights):
        tensors.update({key: value.to(torch.get_default_dtype()) for key, value in tensors.items() if value.is_floating_point()})
    if name == "language":
        from language import LanguageStep
        return LanguageStep(inputs, weights)
    from training import Training
    return Training(name, inputs, weights, options.quick, dropout)


def checked(options):
    """Models are checked in float64: in float32 Adam makes whole steps of differences in rounding."""
    if options.weights and pathlib.Path(options.weights).exists():
        torch.set_default_dtype(torch.float64)
    numbers = build(options, 0.0).check(options.losses)
    torch.set_default_dtype(torch.float32)
    return numbers


def forget_memory():
    """The peak begins anew, so that what was done before the timed work does not count."""
    gc.collect()
    if hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def answer(**values):
    print(json.dumps(values), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", required=True)
    parser.add_argument("--inputs", required=True, help="folder that bench/side --export wrote")
    parser.add_argument("--weights", help="start from these weights")
    parser.add_argument("--variant", default="", help="which of several ways to do it; those of DGL begin with dgl")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--losses", type=int, default=0, help="first tell the losses of K steps without dropout")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    import_what_is_needed(options.workload, options.variant)

    start = memory("VmRSS")
    losses = checked(options) if options.losses else []
    workload = build(options, 0.5)
    forget_memory()
    answer(ready=True, threads=torch.get_num_threads(), parts=workload.parts, losses=losses, torch=torch.__version__)
    for line in sys.stdin:
        if line.strip() == "quit":
            break
        answer(ms=[workload.repeat() * 1000 for _ in range(int(line))])
    answer(start_bytes=start, peak_bytes=memory("VmHWM"))


main()
