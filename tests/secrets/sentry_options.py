"""The options for Sentry's SDK: its defaults, and those of docs/secrets.md."""

from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

BY_DEFAULT = {}
WITH_PII = {"send_default_pii": True}
WITHOUT_LOCALS = {"include_local_variables": False}
DOCUMENTED = {
    "include_local_variables": False,
    "event_scrubber": EventScrubber(denylist=[*DEFAULT_DENYLIST, "x-sso"]),
}
