"""Path converters of the API's routes."""

from django.urls import register_converter
from django.urls.converters import UUIDConverter


class IdConverter(UUIDConverter):
    """A UUID in any case of letters (RFC 9562 section 4); Django's has lower case only.

    Swift, among others, writes capitals.
    """

    regex = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"


register_converter(IdConverter, "id")
