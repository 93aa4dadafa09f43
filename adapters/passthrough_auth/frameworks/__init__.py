"""Inbound: the adapters that take the caller off a request, one module per framework."""
