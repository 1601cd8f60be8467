"""Single operations and layers: attention over all pairs, GAT, sparse products. `variant` names one of several ways of PyTorch."""

import time

import torch


class Differentiated:
    """A computation whose result is multiplied by a fixed seed and differentiated. `leaves` are in the order of our side."""

    parts = 1
    leaves = ()
    both = True  # False: only the result is timed

    def clear(self):
        for leaf in self.leaves:
            leaf.grad = None

    def repeat(self):
        start = time.perf_counter()
        if self.both:
            self.clear()
            self.forward().backward(self.seed)
        else:
            with torch.no_grad():
                self.forward()
        return time.perf_counter() - start

    def check(self, steps):
        self.clear()
        y = self.forward()
        y.backward(self.seed)
        gradients = [leaf.grad.values() if leaf.grad.layout == torch.sparse_csr else leaf.grad for leaf in self.leaves]
        return [(y.detach().double() * self.seed).sum().item()] + [gradient.double().norm().item() for gradient in gradients]


class Attention(Differentiated):
    """Scaled dot products times a trainable mask, materialised. Variant "decay" computes the mask from the learned radius, as
    Gradformer does; "mask" has the mask itself as a leaf, which is less work than we do."""

    def __init__(self, inputs, variant):
        graphs, nodes, _ = inputs["hops"].shape
        heads = inputs["q"].shape[1]
        dense = lambda t: t.view(graphs, nodes, heads, -1).transpose(1, 2).contiguous()
        self.q, self.k, self.v = (dense(inputs[name]).requires_grad_() for name in "qkv")
        self.seed = dense(inputs["seed"])
        self.hop = inputs["hop"].requires_grad_()
        self.distances = inputs["hops"].long().unsqueeze(1)
        self.leaves = [self.q, self.k, self.v, self.hop]
        self.mask = None
        if variant == "mask":
            self.mask = self.decay().detach().requires_grad_()
            self.leaves = [self.q, self.k, self.v, self.mask]

    def decay(self):
        return 0.6 ** torch.relu(self.distances - self.hop.view(1, -1, 1, 1))

    def forward(self):
        mask = self.decay() if self.mask is None else self.mask
        logits = (self.q @ self.k.transpose(-2, -1)) * self.q.shape[-1] ** -0.5 * mask
        return logits.softmax(-1) @ self.v

    def check(self, steps):
        numbers = super().check(steps)
        return numbers if self.mask is None else numbers[:-1]  # the gradient of a mask is not that of a radius


class CausalAttention(Differentiated):
    """One sequence through scaled_dot_product_attention."""

    def __init__(self, inputs):
        dense = lambda t: t.transpose(0, 1).unsqueeze(0).contiguous()
        self.q, self.k, self.v = (dense(inputs[name]).requires_grad_() for name in "qkv")
        self.seed = dense(inputs["seed"])
        self.leaves = [self.q, self.k, self.v]

    def forward(self):
        return torch.nn.functional.scaled_dot_product_attention(self.q, self.k, self.v, is_causal=True)


class Gat(Differentiated):
    def __init__(self, inputs):
        from torch_geometric.nn import GATConv

        heads, width = inputs["score.source"].shape
        self.layer = GATConv(heads * width, width, heads=heads, add_self_loops=False)
        self.layer.load_state_dict({"lin.weight": inputs["query.weight"], "bias": inputs["bias"],
                                    "att_src": inputs["score.source"].unsqueeze(0), "att_dst": inputs["score.destination"].unsqueeze(0)})
        self.x = inputs["x"].requires_grad_()
        self.edges = torch.stack([inputs["src"], inputs["dst"]]).long()
        self.seed = inputs["seed"]
        self.leaves = [self.x, self.layer.bias, self.layer.lin.weight, self.layer.att_src, self.layer.att_dst]

    def forward(self):
        return self.layer(self.x, self.edges)


class Spmm(Differentiated):
    """Variant "csr" is torch.sparse.mm(A, x), "reduce" torch.sparse.mm(A, x, 'sum')."""

    def __init__(self, inputs, variant, both):
        self.both, self.variant = both, variant
        self.x = inputs["x"].requires_grad_()
        n = len(self.x)
        self.a = torch.sparse_csr_tensor(inputs["offsets"], inputs["src"], inputs["w"], (n, n)).requires_grad_()
        self.seed = inputs["seed"]
        self.leaves = [self.x, self.a]

    def forward(self):
        return torch.sparse.mm(self.a, self.x, "sum") if self.variant == "reduce" else torch.sparse.mm(self.a, self.x)
