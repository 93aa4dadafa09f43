"""The `passthrough-auth` command."""
