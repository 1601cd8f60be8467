"""Training epochs of Gradformer on the data, in the batches and in the order of our side."""

import time

import torch
from torch.nn import functional
from torch_geometric.data import Batch, Data

from gradformer import Gradformer

UNREACHABLE = 510  # what the published code writes where there is no path, and in the padding

TU = dict(local="gin", layers=4, channels=64, heads=4, gamma=0.6, hop=5, slope=0.0, encoding_width=20, encoding_channels=0,
          categories=False, pooling=True, deep_head=False, optimiser="adam", lr=1e-3, loss="cross_entropy", outputs=2)
STUDIES = {
    "nci1": TU,
    "proteins": TU,
    "zinc": dict(local="gine", layers=10, channels=64, heads=4, gamma=0.6, hop=2, slope=0.1, encoding_width=20, encoding_channels=28,
                 categories=True, edge_kinds=4, pooling=True, deep_head=True, optimiser="adamw", lr=1e-3, loss="l1_loss", outputs=1),
    "cluster": dict(local="gatedgcn", layers=16, channels=48, heads=8, gamma=0.3, hop=0, slope=0.1, encoding_width=10,
                    encoding_channels=16, categories=False, edge_kinds=1, pooling=False, deep_head=True, optimiser="adamw", lr=5e-4,
                    loss="cross_entropy", outputs=6),
}


def graphs_of(inputs):
    """One PyTorch Geometric graph for each of ours, and its distances as the published code keeps them."""
    graphs, distances = [], []
    node = edge = pair = 0
    for index, (n, e) in enumerate(zip(inputs["nodes"].tolist(), inputs["edges"].tolist())):
        ends = torch.stack([inputs["src"][edge:edge + e], inputs["dst"][edge:edge + e]]).long()
        attributes = inputs["edge_attr"][edge:edge + e] if "edge_attr" in inputs else torch.zeros(e, dtype=torch.long)
        y = inputs["y"][node:node + n] if len(inputs["y"]) == len(inputs["x"]) else inputs["y"][index:index + 1]
        graphs.append(Data(x=inputs["x"][node:node + n], edge_index=ends, edge_attr=attributes, y=y, encoding=inputs["encoding"][node:node + n]))
        hops = inputs["hops"][pair:pair + n * n].view(n, n).long()
        distances.append(hops.masked_fill_(hops == 255, UNREACHABLE))
        node, edge, pair = node + n, edge + e, pair + n * n
    return graphs, distances


class Training:
    def __init__(self, name, inputs, weights, quick, dropout):
        options = dict(STUDIES[name.split("-")[0]], features=inputs["x"].shape[-1])
        if quick and name in ("zinc", "cluster"):
            options["layers"] = 2
        graphs, self.distances = graphs_of(inputs)
        size = int(inputs["batch"])
        order = inputs["order"].tolist()
        self.batches = [order[i:i + size] for i in range(0, len(order), size)]
        self.collated = [Batch.from_data_list([graphs[i] for i in chosen]) for chosen in self.batches]
        for batch, chosen in zip(self.collated, self.batches):
            batch.longest = max(graphs[i].num_nodes for i in chosen)
        self.model = Gradformer(options, dropout)
        self.model.load(weights)
        self.loss = getattr(functional, options["loss"])
        optimiser = torch.optim.Adam if options["optimiser"] == "adam" else torch.optim.AdamW
        self.optimiser = optimiser(self.model.parameters(), lr=options["lr"], weight_decay=1e-5, fused=True)
        self.parts = len(self.batches)

    def padded(self, number):
        chosen, n = self.batches[number], self.collated[number].longest
        together = torch.full((len(chosen), n, n), UNREACHABLE)
        for row, graph in enumerate(chosen):
            d = self.distances[graph]
            together[row, :len(d), :len(d)] = d
        return together

    def step(self, batch, distances):
        self.optimiser.zero_grad()
        loss = self.loss(self.model(batch, distances), batch.y)
        value = loss.item()
        loss.backward()
        self.optimiser.step()
        return value

    def repeat(self):
        """Seconds of an epoch. Only the model is timed, not what puts batches together: a loader could do that meanwhile. On our
        side it counts."""
        seconds = 0.0
        for number, batch in enumerate(self.collated):
            distances = self.padded(number)
            start = time.perf_counter()
            self.step(batch, distances)
            seconds += time.perf_counter() - start
        return seconds

    def check(self, steps):
        numbers = [step % self.parts for step in range(steps)]
        return [self.step(self.collated[number], self.padded(number)) for number in numbers]
