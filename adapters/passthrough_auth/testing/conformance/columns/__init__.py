"""The columns that ship: the conformance app in each supported framework."""
