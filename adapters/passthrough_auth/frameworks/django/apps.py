"""The Django app, which only registers the system checks."""

from django.apps import AppConfig
from django.core.checks import register


class PassthroughAuthConfig(AppConfig):
    """Registers the checks of PASSTHROUGH_AUTH."""

    name = "passthrough_auth.frameworks.django"
    label = "passthrough_auth"
    verbose_name = "Passthrough authentication"

    def ready(self) -> None:
        from .checks import check_settings

        register(check_settings, "security")
