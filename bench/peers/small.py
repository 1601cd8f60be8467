"""An optimiser step and the price of recording an operation."""

import time

import torch

from layers import Differentiated


class AdamStep:
    """Variants "fused" and "foreach" of torch.optim.AdamW."""

    parts = 1

    def __init__(self, inputs, variant):
        self.parameters = [inputs[f"tensor.{i}.weight"].requires_grad_() for i in range(60)]
        for i, parameter in enumerate(self.parameters):
            parameter.grad = inputs[f"gradient.tensor.{i}.weight"]
        self.optimiser = torch.optim.AdamW(self.parameters, lr=1e-3, weight_decay=1e-2, **{variant: True})

    def repeat(self):
        start = time.perf_counter()
        self.optimiser.step()
        return time.perf_counter() - start

    def check(self, steps):
        numbers = []
        for _ in range(steps):
            self.optimiser.step()
            numbers.append(sum(parameter.detach().double().norm().item() for parameter in self.parameters))
        return numbers


class Tape(Differentiated):
    parts = 100

    def __init__(self, inputs):
        self.x, self.factor, self.seed = inputs["x"].requires_grad_(), inputs["factor"], inputs["seed"]
        self.leaves = [self.x]

    def forward(self):
        y = self.x
        for _ in range(self.parts):
            y = y * self.factor
        return y
