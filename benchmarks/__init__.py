"""What passthrough-auth costs, measured beside the alternatives: `python -m benchmarks`."""
