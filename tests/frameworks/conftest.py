"""Django has one configuration for each process. The conformance app sets it."""

from tests.conformance.columns import django

django.wsgi({})
