"""Django's settings: there is one set for a process, and the conformance app brings it."""

from passthrough_auth.testing.conformance.columns import django

django.wsgi({})
