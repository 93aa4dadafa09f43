"""What users and third-party adapters test with."""
