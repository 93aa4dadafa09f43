"""The one setting, PASSTHROUGH_AUTH, and its errors."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from passthrough_auth.core.errors import ConfigurationError
from passthrough_auth.core.inbound import Gate, options_from

SETTING = "PASSTHROUGH_AUTH"
_FLASKS_OWN = {
    "allow_preflight": "it would let views run without credentials here. List the CORS middleware "
    "before this one in MIDDLEWARE, so that it answers preflights itself"
}


class DjangoConfigurationError(ConfigurationError, ImproperlyConfigured):
    """A wrong PASSTHROUGH_AUTH setting. Both this library and Django recognise this error."""


def gate_from_settings() -> Gate:
    """The gate for the project's settings. Raises `DjangoConfigurationError`."""
    given = getattr(settings, SETTING, {})
    try:
        _refuse_settings_not_read()
        return Gate(**options_from(given, source=f"settings.{SETTING}", elsewhere=_FLASKS_OWN))
    except ConfigurationError as error:
        raise DjangoConfigurationError(str(error)) from error


def _refuse_settings_not_read() -> None:
    for name in dir(settings):
        if name.startswith(f"{SETTING}_"):
            option = name.removeprefix(f"{SETTING}_").lower()
            raise ConfigurationError(
                f"settings.{name} is not read: write {SETTING} = {{{option!r}: ...}}"
            )
