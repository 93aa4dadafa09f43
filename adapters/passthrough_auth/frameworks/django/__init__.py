"""The middleware for Django.

    MIDDLEWARE = ["passthrough_auth.frameworks.django.PassthroughAuthMiddleware", ...]
    PASSTHROUGH_AUTH = {"excluded_paths": ["/health"]}

With `"passthrough_auth.frameworks.django"` in INSTALLED_APPS, `manage.py check` reports wrong
settings.
"""

from importlib import import_module

from passthrough_auth.optional_import import optional_import

with optional_import("django"):
    import_module("django")  # before anything below needs it

from .middleware import PassthroughAuthMiddleware

__all__ = ["PassthroughAuthMiddleware"]
