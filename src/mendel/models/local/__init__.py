"""Models in this process: loading, generation, scores, activations, gradients, and adapters side by side."""
