"""Adapters for frameworks, which read the caller from a request: one module each."""
