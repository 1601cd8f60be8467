"""Gradformer (arXiv 2404.15729) in PyTorch and PyTorch Geometric as its published code computes it: zero-padded dense batches, and a
mask of batch x heads x n x n that every layer multiplies its logits by. Modules are named as on our side, so weights go across."""

import torch
from torch import nn
from torch.nn import functional
from torch_geometric.nn import GINConv, GINEConv
from torch_geometric.utils import to_dense_batch


class Attention(nn.Module):
    def __init__(self, channels, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, x, batch, decay):
        dense, real = to_dense_batch(x, batch.batch, max_num_nodes=batch.longest)
        graphs, nodes, channels = dense.shape
        split = lambda y: y.view(graphs, nodes, self.heads, -1).transpose(1, 2)
        q, k, v = split(self.query(dense)), split(self.key(dense)), split(self.value(dense))
        logits = (q @ k.transpose(-2, -1)) * (channels // self.heads) ** -0.5 * decay
        logits = logits.masked_fill(~real.view(graphs, 1, 1, nodes), float("-inf"))
        weights = functional.dropout(logits.softmax(-1), self.dropout)
        out = (weights @ v).transpose(1, 2).reshape(graphs, nodes, channels)
        return self.output(out)[real]


class GatedGcn(nn.Module):
    """The residual gated graph convolution of Gradformer: the state of its edges is not passed on."""

    def __init__(self, channels):
        super().__init__()
        for name in "abcde":
            setattr(self, name, nn.Linear(channels, channels))
        self.node_norm = nn.BatchNorm1d(channels)

    def forward(self, x, edge_index, edge):
        src, dst = edge_index
        gates = torch.sigmoid(self.d(x)[dst] + self.e(x)[src] + self.c(edge))
        total = torch.zeros_like(x).index_add_(0, dst, gates)
        gathered = torch.zeros_like(x).index_add_(0, dst, gates * self.b(x)[src]) / (total + 1e-6)
        return x + functional.relu(self.node_norm(self.a(x) + gathered))


def make_local(kind, channels):
    if kind == "gatedgcn":
        return GatedGcn(channels)
    perceptron = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels))
    return GINEConv(perceptron) if kind == "gine" else GINConv(perceptron)


class FeedForward(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = nn.Linear(2 * channels, channels)

    def forward(self, x):
        return self.narrow(functional.relu(self.widen(x)))


class Layer(nn.Module):
    def __init__(self, kind, channels, heads, dropout):
        super().__init__()
        self.kind = kind
        self.local = make_local(kind, channels)
        self.attention = Attention(channels, heads, dropout)
        self.local_norm = nn.BatchNorm1d(channels)
        self.attention_norm = nn.BatchNorm1d(channels)
        self.feed_forward = FeedForward(channels)
        self.output_norm = nn.BatchNorm1d(channels)

    def forward(self, x, edge, batch, decay):
        local = self.local(x, batch.edge_index) if self.kind == "gin" else self.local(x, batch.edge_index, edge)
        u = self.attention_norm(self.attention(x, batch, decay) + x) + self.local_norm(local + x)
        return self.output_norm(u + self.feed_forward(u))


class Encoder(nn.Module):
    def __init__(self, o):
        super().__init__()
        beside = o["encoding_channels"]
        node_channels = o["channels"] - beside
        self.node = nn.Embedding(28, node_channels) if o["categories"] else nn.Linear(o["features"], node_channels)
        self.encoding = nn.Linear(o["encoding_width"], beside or o["channels"])
        self.encoding_norm = nn.BatchNorm1d(o["encoding_width"]) if beside else None
        self.edge = None if o["local"] == "gin" else nn.Embedding(o["edge_kinds"], o["channels"])

    def forward(self, batch):
        x = self.node(batch.x)
        if self.encoding_norm is None:
            x = x + self.encoding(batch.encoding)
        else:
            x = torch.cat([x, self.encoding(self.encoding_norm(batch.encoding))], 1)
        return x, None if self.edge is None else self.edge(batch.edge_attr)


class Gradformer(nn.Module):
    def __init__(self, o, dropout):
        super().__init__()
        self.o = o
        self.hop = nn.Parameter(torch.full((o["heads"],), float(o["hop"])))
        self.encoder = Encoder(o)
        self.layers = nn.ModuleList(Layer(o["local"], o["channels"], o["heads"], dropout) for _ in range(o["layers"]))
        d = o["channels"]
        widths = [d, d // 2, d // 4, o["outputs"]] if o["deep_head"] else [d, o["outputs"]]
        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))

    def forward(self, batch, distances):
        x, edge = self.encoder(batch)
        beyond = distances.unsqueeze(1) - self.hop.view(1, -1, 1, 1)
        decay = self.o["gamma"] ** functional.leaky_relu(beyond, self.o["slope"])
        for layer in self.layers:
            x = layer(x, edge, batch, decay)
        if self.o["pooling"]:
            x = torch.zeros(batch.num_graphs, x.size(1)).index_add_(0, batch.batch, x)
        for i, linear in enumerate(self.head):
            x = linear(functional.relu(x) if i else x)
        return x

    def load(self, weights):
        """Ours names the perceptron of GIN hidden and output, PyTorch Geometric nn.0 and nn.2."""
        if self.o["local"] != "gatedgcn":
            weights = {name.replace("local.hidden", "local.nn.0").replace("local.output", "local.nn.2"): w for name, w in weights.items()}
        # PyTorch counts batches in a batch norm and GIN keeps its epsilon, which neither trains.
        missing, unexpected = self.load_state_dict(weights, strict=False)
        missing = [name for name in missing if not name.endswith(("num_batches_tracked", "eps"))]
        if missing or unexpected:
            raise ValueError(f"weights do not fit: missing {missing}, unexpected {unexpected}")
