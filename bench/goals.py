"""The goals of bench/compare.py: what is measured against what, and what counts as met."""

from dataclasses import dataclass, field


@dataclass
class Row:
    goal: str
    title: str
    workload: str
    variants: list = field(default_factory=lambda: [""])  # of the peer; the fastest counts. Those that begin with dgl are of DGL
    floor: float = 0  # 0: shown without a verdict
    stretch: float = 0
    kind: str = "ratio"  # "ratio": peer / ours; "ns": ours per operation, at most; "threads": our one thread / our threads;
                         # "share": the least time by the roofline of the machine / ours; "rate": a ratio, with tokens per second
    memory: tuple = ()   # floor and stretch of our peak memory / the peer's

    def better(self, a, b):
        return a <= b if self.kind == "ns" else a >= b


def verdict(row, value, memory=None):
    """"stretch met", "floor met" or "NOT MET"; memory counts where the goal speaks of it."""
    if value is None:
        return "not measured"
    if not row.floor:
        return "no goal"
    limits = zip((row.stretch, row.floor), tuple(reversed(row.memory)) or (None, None), ("stretch met", "floor met"))
    for limit, memory_limit, name in limits:
        if row.better(value, limit) and (memory_limit is None or (memory is not None and memory <= memory_limit)):
            return name
    return "NOT MET"


# The published code takes graphs in random order (1a); sorted by size they fill padded batches best (1b).
GOALS = [
    Row("1a", "Gradformer epoch, NCI1, random batches", "nci1-random", floor=8, stretch=20, memory=(1 / 8, 1 / 30)),
    Row("1a", "Gradformer epoch, PROTEINS, random batches", "proteins-random", floor=30, stretch=80, memory=(1 / 8, 1 / 30)),
    Row("1b", "Gradformer epoch, NCI1, sorted by size", "nci1-sorted", floor=3, stretch=7),
    Row("1b", "Gradformer epoch, PROTEINS, sorted by size", "proteins-sorted", floor=15, stretch=40),
    Row("1c", "Gradformer, ZINC sizes, 10 batches", "zinc", floor=5, stretch=10),
    Row("1c", "Gradformer, CLUSTER sizes, 4 batches", "cluster", floor=5, stretch=10),
    Row("2", "GAT layer, N 100, E 320", "gat-100", ["pyg", "dgl"], floor=10, stretch=40),
    Row("3", "GAT layer, N 12.5k, E 40.5k", "gat-12k", ["pyg", "dgl"], floor=5, stretch=8),
    Row("3", "GAT layer, N 100k, E 1M", "gat-100k", ["pyg", "dgl"], floor=5, stretch=8),
]
GOALS += [Row("4", f"attention x trainable mask, n {n}", f"attention-{n}", ["decay", "mask"], floor, stretch)
          for n, floor, stretch in ((25, 3, 5), (32, 3, 4), (128, 2, 3), (512, 2, 3))]
SPMM = [("12k-64", "N 12.5k, D 64"), ("12k-128", "N 12.5k, D 128"), ("12k-256", "N 12.5k, D 256"), ("100k-64", "N 100k, E 1M, D 64")]
# Random graphs, as the goals have it, and a batch of molecules of the same size, whose edges join nodes that lie near each other.
MOLECULES = [("molecules-64", "500 molecules of 25 atoms, D 64")]
GOALS += [Row("5", f"SpMM forward, {title}", f"spmm-{name}", ["csr", "reduce", "dgl", "dgl-sparse"], 2, 4) for name, title in SPMM + MOLECULES]
GOALS += [Row("5", f"SpMM forward + backward, {title}", f"spmm-{name}-both", ["csr", "reduce", "dgl", "dgl-sparse"], 8, 20) for name, title in SPMM + MOLECULES]
GOALS += [
    Row("6", "AdamW step, 245k parameters, against fused", "adamw", ["fused"], 5, 10),
    Row("6", "AdamW step, 245k parameters, against foreach", "adamw", ["foreach"], 20, 40),
    Row("7", "recorded 8x8 product, forward + backward", "tape", floor=100, stretch=30, kind="ns"),
]
BOTH = ("forward", "backward")
KERNELS = [(f"spmm-{name}", f"SpMM, {title}") for name, title in SPMM] + [(f"sddmm-{name}", f"SDDMM, {title}") for name, title in SPMM]
for name, title in (("12k", "N 12.5k, E 40.5k"), ("100k", "N 100k, E 1M")):
    KERNELS += [(f"gat-{name}-{way}", f"GAT, {title}, {way}") for way in BOTH]
    KERNELS += [(f"edges-{name}-{way}", f"dot attention on edges, {title}, {way}") for way in BOTH]
KERNELS += [(f"attention-{n}-{way}", f"attention, n {n}, {way}") for n in (25, 32, 128, 512) for way in BOTH]
GOALS += [Row("8", f"roofline: {title}", name, [], 0.75, 0.9, kind="share") for name, title in KERNELS]
GOALS += [Row("9", f"threads against one: {name}", name, [], 1.7, 1.9, kind="threads")
          for name in ("nci1-random", "proteins-random", "zinc", "cluster", "gat-12k", "gat-100k", "attention-25", "attention-128",
                       "attention-512", "spmm-12k-256-both", "spmm-100k-64", "spmm-100k-64-both")]

GOALS += [Row("11", f"causal attention, L {length}, H 8, d 64", f"causal-{length}", floor=1, stretch=1.3) for length in (256, 512, 1024, 2048)]
GOALS += [Row("language", "language model, a training step on 8 x 256 tokens", "language", kind="rate")]


def time_text(ms):
    if ms is None:
        return "-"
    for limit, factor, unit in ((1e-3, 1e6, "ns"), (1, 1e3, "us"), (1e3, 1, "ms")):
        if ms < limit:
            return f"{ms * factor:.3g} {unit}"
    return f"{ms / 1e3:.3g} s"


def limit_text(row, value):
    return "-" if not value else f"{value:g} ns" if row.kind == "ns" else f"{100 * value:g} %" if row.kind == "share" else f"{value:g}x"


HEADER = ["goal", "workload", "ours", "minimum", "peer", "minimum", "ratio", "floor", "stretch", "memory", "difference", "verdict"]


def cells(result):
    """A line of the table. `ratio` is that of medians; for goal 7 it stands beside the time that counts."""
    row, share, ratio = result["row"], result["memory_ratio"], result["ratio"]
    return [row.goal, row.title, time_text(result["ours_median"]), time_text(result["ours_minimum"]),
            time_text(result["peer_median"]) + (f" ({result['peer']})" if result["peer"] else ""), time_text(result["peer_minimum"]),
            "-" if ratio is None else f"{100 * ratio:.0f} %" if row.kind == "share" else f"{ratio:.2f}x", limit_text(row, row.floor), limit_text(row, row.stretch),
            "-" if share is None else f"1/{1 / share:.1f}" if share < 1 else f"{share:.1f}x",
            "-" if result["difference"] is None else f"{result['difference']:.1e}", result["verdict"]]


def markdown(lines, heading):
    table = [HEADER] + lines
    widths = [max(len(line[c]) for line in table) for c in range(len(HEADER))]
    text = lambda line: "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join(heading + ["", text(HEADER), rule] + [text(line) for line in lines]) + "\n"
