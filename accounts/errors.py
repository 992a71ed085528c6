"""What several modules of this app refuse with; each carries its status."""

from rest_framework.exceptions import APIException


class EmailTaken(APIException):
    status_code = 409
    default_detail = "This e-mail address is already registered."
    default_code = "conflict"
