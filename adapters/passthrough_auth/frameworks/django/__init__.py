"""The middleware for Django.

    MIDDLEWARE = ["passthrough_auth.frameworks.django.PassthroughAuthMiddleware", ...]
    PASSTHROUGH_AUTH = {"excluded_paths": ["/health"]}

With `"passthrough_auth.frameworks.django"` in INSTALLED_APPS, `manage.py check` reports wrong
settings.
"""

from passthrough_auth.core import requires_extra

with requires_extra("django"):
    import django as _django  # noqa: F401 - only to say what to install where it is absent

from .middleware import PassthroughAuthMiddleware

__all__ = ["PassthroughAuthMiddleware"]
