"""The one setting, PASSTHROUGH_AUTH, and its errors."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from passthrough_auth.core import ConfigurationError, Gate, options_from, refuse_preflight_option

SETTING = "PASSTHROUGH_AUTH"


class DjangoConfigurationError(ConfigurationError, ImproperlyConfigured):
    """A wrong PASSTHROUGH_AUTH setting. Both this library and Django recognise this error."""


def gate_from_settings() -> Gate:
    """The gate that the project's settings describe. Raises `DjangoConfigurationError`."""
    given = getattr(settings, SETTING, {})
    try:
        _refuse_settings_not_read()
        options = options_from(given, source=f"settings.{SETTING}")
        refuse_preflight_option(options, "List the CORS middleware before this one in MIDDLEWARE")
        return Gate(**options)
    except ConfigurationError as error:
        raise DjangoConfigurationError(str(error)) from error


def _refuse_settings_not_read() -> None:
    for name in dir(settings):
        if name.startswith(f"{SETTING}_"):
            option = name.removeprefix(f"{SETTING}_").lower()
            raise ConfigurationError(
                f"settings.{name} is not read: write {SETTING} = {{{option!r}: ...}}"
            )
