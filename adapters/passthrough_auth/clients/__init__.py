"""Outbound: the adapters that carry the caller to other services, one module per client."""
