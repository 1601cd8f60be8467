"""A decoder language model as Llama has it: causal scaled_dot_product_attention, rotary positions, RMS norms, SwiGLU. Modules are named
as on our side, so weights go across; their sizes are read from them."""

import time

import torch
from torch import nn
from torch.nn import functional


def linear(weights, name):
    out, into = weights[name + ".weight"].shape
    return nn.Linear(into, out, bias=False)


class Attention(nn.Module):
    def __init__(self, weights, name, heads):
        super().__init__()
        self.heads = heads
        for part in ("query", "key", "value", "output"):
            setattr(self, part, linear(weights, f"{name}.{part}"))

    def forward(self, x, cosine, sine):
        sequences, length, channels = x.shape
        split = lambda y: y.view(sequences, length, self.heads, -1).transpose(1, 2)

        def turned(y):
            a, b = y.chunk(2, -1)
            return y * cosine + torch.cat([-b, a], -1) * sine

        q, k, v = turned(split(self.query(x))), turned(split(self.key(x))), split(self.value(x))
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.output(out.transpose(1, 2).reshape(sequences, length, channels))


class FeedForward(nn.Module):
    def __init__(self, weights, name):
        super().__init__()
        for part in ("gate", "up", "down"):
            setattr(self, part, linear(weights, f"{name}.{part}"))

    def forward(self, x):
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    def __init__(self, weights, name, channels, heads):
        super().__init__()
        self.attention_norm = nn.RMSNorm(channels, 1e-5)
        self.attention = Attention(weights, name + ".attention", heads)
        self.feed_forward_norm = nn.RMSNorm(channels, 1e-5)
        self.feed_forward = FeedForward(weights, name + ".feed_forward")

    def forward(self, x, cosine, sine):
        x = x + self.attention(self.attention_norm(x), cosine, sine)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Decoder(nn.Module):
    def __init__(self, weights, heads, length):
        super().__init__()
        vocabulary, channels = weights["embedding.weight"].shape
        layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
        self.embedding = nn.Embedding(vocabulary, channels)
        self.layers = nn.ModuleList(Layer(weights, f"layers.{i}", channels, heads) for i in range(layers))
        self.norm = nn.RMSNorm(channels, 1e-5)
        self.head = linear(weights, "head")
        width = channels // heads
        angles = torch.outer(torch.arange(length).double(), 10000 ** (-torch.arange(0, width, 2).double() / width)).repeat(1, 2)
        self.cosine, self.sine = angles.cos().to(torch.get_default_dtype()), angles.sin().to(torch.get_default_dtype())
        self.load_state_dict(weights)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine)
        return self.head(self.norm(x))


class LanguageStep:
    def __init__(self, inputs, weights):
        self.tokens, self.targets = inputs["tokens"], inputs["targets"].flatten()
        self.parts = self.tokens.numel()
        self.model = Decoder(weights, int(inputs["heads"]), self.tokens.shape[1])
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=1e-2, fused=True)

    def step(self):
        self.optimiser.zero_grad()
        loss = functional.cross_entropy(self.model(self.tokens).flatten(0, 1), self.targets)
        value = loss.item()
        loss.backward()
        self.optimiser.step()
        return value

    def repeat(self):
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start

    def check(self, steps):
        return [self.step() for _ in range(steps)]
