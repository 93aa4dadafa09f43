import re

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class CallerFilter(SafeExceptionReporterFilter):
    """Hides each cookie, and each header but those that are known to hold no secret."""

    shown_headers = re.compile("HTTP_(ACCEPT|ACCEPT_ENCODING|CONNECTION|HOST|ORIGIN|USER_AGENT)")

    def get_safe_request_meta(self, request: HttpRequest) -> dict[str, object]:
        meta = super().get_safe_request_meta(request)
        return {name: self._safe(name, value) for name, value in meta.items()}

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, object]:
        return dict.fromkeys(super().get_safe_cookies(request), self.cleansed_substitute)

    def _safe(self, name: str, value: object) -> object:
        secret = name.startswith("HTTP_") and not self.shown_headers.fullmatch(name)
        return self.cleansed_substitute if secret else value
