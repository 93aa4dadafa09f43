"""Inbound: the adapters that read the caller from a request, one module per framework."""
