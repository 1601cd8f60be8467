"""The GAT layer and the sparse product in DGL: what layers.py has in PyTorch and PyTorch Geometric. DGL needs versions of PyTorch
and NumPy of its own, so this runs in another environment (compare.py --dgl-python)."""

import dgl
import torch

from layers import Differentiated


def graph_of(src, dst, nodes):
    """Edges come sorted by destination, which spares DGL a table of their numbers. Both directions are laid out beforehand."""
    graph = dgl.graph((src.int(), dst.int()), num_nodes=nodes, col_sorted=True)
    graph.create_formats_()
    return graph


class Gat(Differentiated):
    def __init__(self, inputs):
        heads, width = inputs["score.source"].shape
        # It need not look for nodes without edges: every node has a loop.
        self.layer = dgl.nn.GATConv(heads * width, width, heads, allow_zero_in_degree=True)
        self.layer.load_state_dict({"fc.weight": inputs["query.weight"], "bias": inputs["bias"],
                                    "attn_l": inputs["score.source"].unsqueeze(0), "attn_r": inputs["score.destination"].unsqueeze(0)})
        self.x = inputs["x"].requires_grad_()
        self.graph = graph_of(inputs["src"], inputs["dst"], len(self.x))
        self.seed = inputs["seed"]
        self.leaves = [self.x, self.layer.bias, self.layer.fc.weight, self.layer.attn_l, self.layer.attn_r]

    def forward(self):
        return self.layer(self.graph, self.x).flatten(1)


class Spmm(Differentiated):
    """Variant "dgl" multiplies and adds up in one call, "dgl-sparse" is the matrix product of its sparse matrices."""

    def __init__(self, inputs, variant, both):
        self.both, self.variant = both, variant
        self.x, self.w = inputs["x"].requires_grad_(), inputs["w"].requires_grad_()
        self.seed = inputs["seed"]
        self.leaves = [self.x, self.w]
        nodes, offsets, src = len(self.x), inputs["offsets"].long(), inputs["src"]
        dst = torch.repeat_interleave(torch.arange(nodes), offsets.diff())
        self.graph = graph_of(src, dst, nodes) if variant == "dgl" else None
        if variant == "dgl-sparse":
            import dgl.sparse
            self.pattern = dgl.sparse.from_csr(offsets, src.long(), shape=(nodes, nodes))

    def forward(self):
        if self.graph is not None:
            return dgl.ops.u_mul_e_sum(self.graph, self.x, self.w.unsqueeze(1))
        return dgl.sparse.spmm(dgl.sparse.val_like(self.pattern, self.w), self.x)
