"""The engine: store, executors, progress, budget, plug-in registries and errors. It knows nothing of
models."""
