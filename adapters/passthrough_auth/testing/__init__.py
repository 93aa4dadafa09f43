"""Test helpers for apps, and for new adapters."""
