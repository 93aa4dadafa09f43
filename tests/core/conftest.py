"""Settings for the property tests of core."""

from hypothesis import settings

# How long an example takes says something of the machine, and nothing of the property.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
